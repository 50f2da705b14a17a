// Command mutate breaks the semantics in many small ways, one at a time, and tells
// which of them the tests do not notice. The files themselves are not touched.
//
//	go run ./internal/mutate [-every n] [-only text] [package directory]
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

var (
	every = flag.Int("every", 1, "try only every n-th mutant")
	only  = flag.String("only", "", "try only mutants whose description contains this")
	limit = flag.Duration("timeout", 2*time.Minute, "for the tests of one mutant; longer is noticed too")
	tests = flag.String("tests", "", "packages to test, separated by commas; default: the mutated one")
)

func main() {
	log.SetFlags(0)
	flag.Parse()
	dir := "tree/internal/machine"
	if flag.NArg() > 0 {
		dir = flag.Arg(0)
	}
	packages := []string{"./" + filepath.ToSlash(dir)}
	if *tests != "" {
		packages = strings.Split(*tests, ",")
	}
	mutants, err := find(dir)
	if err != nil {
		log.Fatal(err)
	}
	tried, survived := 0, 0
	for i, m := range mutants {
		if i%*every != 0 || !strings.Contains(m.String(), *only) {
			continue
		}
		tried++
		switch verdict, err := try(m, packages); {
		case err != nil:
			log.Fatal(err)
		case verdict == unnoticed:
			survived++
			fmt.Println("NOT NOTICED", m)
		case verdict == invalid:
			tried--
		default:
			fmt.Println("noticed    ", m)
		}
	}
	fmt.Printf("%d of %d mutants noticed\n", tried-survived, tried)
	if survived > 0 {
		os.Exit(1)
	}
}

type verdict int

const (
	noticed verdict = iota
	unnoticed
	invalid // does not compile
)

// try runs the tests with the mutant in the place of its file.
func try(m mutant, packages []string) (verdict, error) {
	tmp, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(tmp)
	file, err := filepath.Abs(m.file)
	if err != nil {
		return 0, err
	}
	changed, overlay := filepath.Join(tmp, "changed.go"), filepath.Join(tmp, "overlay.json")
	if err := os.WriteFile(changed, m.source, 0o600); err != nil {
		return 0, err
	}
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return 0, err
	}
	if out, err := exec.Command("go", append([]string{"vet", "-overlay", overlay}, packages...)...).CombinedOutput(); err != nil {
		if strings.Contains(string(out), "changed.go") || strings.Contains(string(out), filepath.Base(m.file)) {
			return invalid, nil
		}
		return 0, fmt.Errorf("%v: %w\n%s", m, err, out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	test := exec.CommandContext(ctx, "go", append([]string{"test", "-failfast", "-overlay", overlay}, packages...)...)
	test.WaitDelay = time.Second
	test.Env = append(os.Environ(), "GOMEMLIMIT=2GiB")
	if test.Run() == nil {
		return unnoticed, nil
	}
	return noticed, nil
}
