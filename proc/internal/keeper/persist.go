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
// may pass, and ctx has not ended.
func Persist(ctx context.Context, s Spec, mayPass func(error) bool, warn func(error)) (*Process, error) {
	for pause := firstPause; ; pause *= 4 {
		p, err := Start(s, warn)
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
