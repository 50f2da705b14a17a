package proc_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

const (
	helperEnv = "COPPICE_PROC_HELPER" // set: this is a helper program, not a test
	markEnv   = "COPPICE_PROC_MARK"   // pid of the test that a process belongs to
)

// TestMain is also the main function of the helper programs. No test may leave a
// goroutine or a process behind.
func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) != "" {
		play(os.Args[1:])
		return
	}
	os.Setenv(markEnv, strconv.Itoa(os.Getpid()))
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		for _, p := range leftovers() {
			fmt.Fprintln(os.Stderr, "left behind:", p)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}
