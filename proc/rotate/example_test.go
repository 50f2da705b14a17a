//go:build unix

package rotate_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/proc/rotate"
)

// The output of a process in a file of at most 10 MB, five older ones beside it.
func ExampleFile() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	log := &rotate.File{Path: filepath.Join(dir, "hello.log"), MaxSize: 10 << 20, MaxFiles: 5}
	c := &proc.Command{Path: "sh", Args: []string{"-c", "echo hello; echo world >&2"}, Stdout: log, Stderr: log}
	fmt.Println(c.Serve(context.Background()))
	text, err := os.ReadFile(log.Path)
	fmt.Println(len(text), err)
	// Output:
	// <nil>
	// 12 <nil>
}
