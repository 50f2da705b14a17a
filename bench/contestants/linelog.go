package contestants

import (
	"context"
	"log/slog"
)

// lineLogger calls line for each record of a child's output.
func lineLogger(line func()) *slog.Logger { return slog.New(lineHandler(line)) }

type lineHandler func()

func (h lineHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level == slog.LevelInfo
}
func (h lineHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h lineHandler) WithGroup(string) slog.Handler      { return h }

func (h lineHandler) Handle(context.Context, slog.Record) error {
	h()
	return nil
}
