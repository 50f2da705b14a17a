package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// The program runs itself as the OS processes of the tree, so nothing needs to be
// installed: helperEnv names the part to play, dirEnv where the cues lie.
const (
	helperEnv = "COPPICE_QUICKSTART_HELPER"
	dirEnv    = "COPPICE_QUICKSTART_DIR"
)

// cue is a file whose appearance tells the helper of that name to misbehave;
// left holds the pid of what it left behind.
func cue(dir, name string) string  { return filepath.Join(dir, name+".cue") }
func left(dir, name string) string { return filepath.Join(dir, name+".left") }

// helper plays an OS process: it says that it is ready and then waits. On its cue
// it starts a process of its own, leaves it behind and fails.
func helper(name string) int {
	dir := os.Getenv(dirEnv)
	if name == "orphan" {
		select {}
	}
	fmt.Println("ready")
	for {
		time.Sleep(20 * time.Millisecond)
		if os.Remove(cue(dir, name)) == nil {
			return leaveOrphan(dir, name)
		}
		if _, err := os.Stat(dir); err != nil {
			return 0 // the demo is gone
		}
	}
}

func leaveOrphan(dir, name string) int {
	orphan := exec.Command(os.Args[0])
	orphan.Env = append(os.Environ(), helperEnv+"=orphan")
	orphan.Stdout = os.Stdout // and it keeps the pipe open, too
	if err := orphan.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	pid := strconv.Itoa(orphan.Process.Pid)
	if err := os.WriteFile(left(dir, name), []byte(pid), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return 7
}
