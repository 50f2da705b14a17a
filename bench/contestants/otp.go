package contestants

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

//go:embed otp.erl
var otpSource []byte

// otp is Erlang/OTP's supervisor. Its program is compiled before it is first used.
type otp struct{ dynamic bool }

var errNoErlang = errors.New("needs Erlang/OTP, 25 or newer: apt-get install erlang-base")

// otpVersion is asked for once: it takes a start of the emulator.
var otpVersion = sync.OnceValues(func() (string, error) {
	erl, err := exec.LookPath("erl")
	if err != nil {
		return "", errNoErlang
	}
	out, err := exec.Command(erl, "-noshell", "-noinput", "-eval",
		`io:put_chars([erlang:system_info(otp_release), ", erts ", erlang:system_info(version)]), halt().`).Output()
	if err != nil {
		return "", fmt.Errorf("%w (erl does not run: %w)", errNoErlang, err)
	}
	return strings.TrimSpace(string(out)), nil
})

var otpDir string // where the compiled program lies; empty: not compiled

// otpModule compiles it, once for this process.
var otpModule = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "coppice-bench-"); err != nil {
		return "", err
	}
	otpDir = dir
	if err := os.WriteFile(filepath.Join(dir, "otp.erl"), otpSource, 0o600); err != nil {
		return "", err
	}
	cmd := exec.Command("erl", "-noshell", "-noinput", "-eval",
		`case compile:file("otp.erl", [report]) of {ok, _} -> halt(0); _ -> halt(1) end.`)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("otp.erl does not compile: %w\n%s", err, out)
	}
	return dir, nil
})

// Cleanup removes what this process has left in the file system.
func Cleanup() {
	if otpDir != "" {
		_ = os.RemoveAll(otpDir)
	}
}

func (otp) Version() (string, error) { return otpVersion() }

func (o otp) Command(ctx context.Context) (*exec.Cmd, error) {
	dir, err := otpModule()
	if err != nil {
		return nil, err
	}
	kind := "static"
	if o.dynamic {
		kind = "dynamic"
	}
	// +P: room for a million processes. +S: as many schedulers as the others
	// have processors, if those were told. All else is as the emulator has it by default.
	args := []string{"+P", "4000000", "-noshell", "-pa", dir, "-s", "otp", "main", kind}
	if os.Getenv("GOMAXPROCS") != "" {
		n := strconv.Itoa(runtime.GOMAXPROCS(0))
		args = append([]string{"+S", n + ":" + n}, args...)
	}
	return exec.CommandContext(ctx, "erl", args...), nil
}
