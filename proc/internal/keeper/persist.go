package keeper

import (
	"context"
	"time"
)

// A start is tried again after firstPause, and after four times as long each time
// until that is more than lastPause.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 100 * time.Millisecond
)

// Persist is Start that is tried again for a moment while the error is one that
// may pass. When ctx has ended nothing is started any more, and its cause is the
// error, or what had to pass; a start that the system is at is waited for.
func Persist(ctx context.Context, s Spec, mayPass func(error) bool, warn func(error)) (*Process, error) {
	for pause := firstPause; ; pause *= 4 {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		p, err := start(ctx, s, warn)
		if err == nil || !mayPass(err) || pause > lastPause {
			return p, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		}
	}
}
