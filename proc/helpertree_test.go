package proc_test

import (
	"context"
	"fmt"
	"os"

	"github.com/coppice-go/coppice/proc"
	"github.com/coppice-go/coppice/tree"
)

// playTree runs a tree until the program is killed.
func playTree(steps []string) {
	spec := tree.Spec{Intensity: unlimited}
	for _, name := range []string{"a", "b", "c"} {
		spec.Children = append(spec.Children, tree.Child{Name: name, Service: &proc.Command{
			Path: os.Args[0], Args: steps, Ready: proc.LogLine("^up$"),
		}})
	}
	t, err := tree.Start(context.Background(), spec)
	check(err)
	for _, name := range []string{"a", "b", "c"} {
		n, err := t.Find(context.Background(), "root/"+name)
		check(err)
		fmt.Println("child", n.PID)
	}
	fmt.Println("tree up")
	check(t.Wait(context.Background()))
}
