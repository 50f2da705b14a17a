package proc_test

import (
	"context"
	"fmt"
	"os"
	"time"

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

// playMess runs a tree whose processes leave others behind, in every way there
// is, until the program is killed.
func playMess(n string) {
	spec := tree.Spec{Intensity: unlimited}
	for name, script := range map[string]string{
		"plain":   `echo up; exec sleep $T`,
		"group":   `sleep $T & sleep $T & echo up; sleep $T`,
		"session": `setsid sleep $T & echo up; sleep $T`,
		"daemon":  `(env -i setsid sh -c "sleep $T & exec sleep $T" <&- >&- 2>&- &); echo up; sleep $T`,
		"ends":    `(setsid sleep $T &); echo up`,
	} {
		spec.Children = append(spec.Children, tree.Child{Name: name, Service: &proc.Command{
			Path: "sh", Args: []string{"-c", script}, Env: []string{"T=" + n}, Ready: proc.LogLine("^up$"), Grace: time.Millisecond,
		}})
	}
	t, err := tree.Start(context.Background(), spec)
	check(err)
	fmt.Println("tree up")
	check(t.Wait(context.Background()))
}
