package proc_test

import (
	"context"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/coppice-go/coppice/actor"
	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name    string
		command *proc.Command
		want    string
	}{
		{"no path", &proc.Command{}, "Path: empty"},
		{"NUL in the path", &proc.Command{Path: "a\x00b"}, "Path: contains a NUL byte"},
		{"NUL in the directory", &proc.Command{Path: "a", Dir: "/\x00"}, "Dir: contains a NUL byte"},
		{"NUL in an argument", &proc.Command{Path: "a", Args: []string{"ok", "\x00"}}, "Args[1]: contains a NUL byte"},
		{"no =", &proc.Command{Path: "a", Env: []string{"A=1", "SECRET"}}, "Env[1]: not KEY=value"},
		{"no key", &proc.Command{Path: "a", Env: []string{"=1"}}, "Env[0]: not KEY=value"},
		{"empty", &proc.Command{Path: "a", Env: []string{""}}, "Env[0]: not KEY=value"},
		{"NUL in the environment", &proc.Command{Path: "a", Env: []string{"A=\x00"}}, "Env[0]: not KEY=value"},
		{"negative signal", &proc.Command{Path: "a", Signal: -1}, "Signal: no such signal: -1"},
		{"unknown signal", &proc.Command{Path: "a", Signal: 65}, "Signal: no such signal: 65"},
		{"negative grace", &proc.Command{Path: "a", Grace: -1}, "Grace: negative: -1ns"},
		{"negative code", &proc.Command{Path: "a", ExpectedCodes: []int{0, -1}}, "ExpectedCodes[1]: negative: -1"},
		{"no such code", &proc.Command{Path: "a", ExpectedCodes: []int{256}}, "ExpectedCodes[0]: more than 255: 256"},
		{"no pattern", &proc.Command{Path: "a", Ready: proc.LogLine("(")}, "Ready: LogLine: error parsing regexp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.ErrorContains(t, c.command.Validate(), c.want)

			// A tree refuses it before anything starts.
			trace := file(t)
			_, err := tryStart(t, tree.Spec{Children: []tree.Child{
				{Name: "first", Service: helper(t, "touch="+trace, "wait")},
				{Name: "bad", Service: c.command},
			}})
			var bad *tree.SpecError
			require.ErrorAs(t, err, &bad)
			require.Equal(t, "root/bad", bad.Path)
			require.ErrorContains(t, err, c.want)
			require.NoFileExists(t, trace)

			require.ErrorContains(t, c.command.Serve(context.Background()), c.want)
		})
	}
}

func TestValidateDoesNotTellSecrets(t *testing.T) {
	err := (&proc.Command{Path: "a", Env: []string{"KEY=hunter2\x00"}}).Validate()
	require.NotContains(t, err.Error(), "hunter2")
}

func TestValidateNil(t *testing.T) {
	var c *proc.Command
	require.Error(t, c.Validate())
	_, err := tryStart(t, tree.Spec{Children: []tree.Child{{Name: "p", Service: c}}})
	require.ErrorIs(t, err, tree.ErrInvalidSpec)
}

func TestValidateAll(t *testing.T) {
	require.NoError(t, (&proc.Command{Path: "a"}).Validate())
	require.NoError(t, (&proc.Command{
		Path: "a", Args: []string{"", "-x"}, Dir: "/", Env: []string{"A=", "B=c=d"}, Signal: syscall.SIGINT,
		Grace: 1, Ready: proc.LogLine(""), ExpectedCodes: []int{0, 1},
	}).Validate())
}

func TestTraits(t *testing.T) {
	c := &proc.Command{Path: "a"}
	require.Equal(t, "process", c.Kind())
	require.True(t, c.Killable())
	require.True(t, c.AnnouncesReady())
	var _ actor.Service = c
}
