package tree

import (
	"context"
	"runtime/pprof"
	"strconv"
)

// Keys of the pprof labels that a child's goroutines run under.
const (
	LabelIncarnation = "tree.incarnation"
	LabelPath        = "tree.path"
)

// labelKey is the key under which pprof finds the labels of a context. An
// incarnation, which is a context already, answers to it itself: a context around
// each would be another object for each child.
var labelKey = func() (found any) {
	pprof.Label(probe{context.Background(), &found}, "")
	return found
}()

// probe tells which key it is asked for.
type probe struct {
	context.Context
	key *any
}

func (p probe) Value(key any) any {
	*p.key = key
	return nil
}

// labels are those of an incarnation, and what there was in ctx, as pprof wants them.
func labels(ctx context.Context, path string, gen int) any {
	set := pprof.Labels(LabelIncarnation, strconv.Itoa(gen), LabelPath, path) // in this order they need no sorting
	return pprof.WithLabels(ctx, set).Value(labelKey)
}

// labelled is ctx, or an empty context if there are no labels in it, which is known
// sooner.
func labelled(ctx context.Context) context.Context {
	if ctx.Value(labelKey) == nil {
		return context.Background()
	}
	return ctx
}
