// Package docs has no code: its tests hold the documents to the code.
package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(text)
}

// Every whole program in the documents compiles.
func TestProgramsCompile(t *testing.T) {
	block := regexp.MustCompile("(?s)```go\n(package main\n.*?)```")
	found := 0
	for _, name := range []string{"README.md", "docs/coming-from.md"} {
		for _, m := range block.FindAllStringSubmatch(read(t, name), -1) {
			found++
			file := filepath.Join(t.TempDir(), "main.go")
			require.NoError(t, os.WriteFile(file, []byte(m[1]), 0o600))
			cmd := exec.Command("go", "vet", file)
			cmd.Dir = root
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s:\n%s", name, out)
		}
	}
	require.Positive(t, found)
}

// Every relative link leads somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	docs, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	for _, file := range append(docs, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(file), m[1]))
			require.NoError(t, err, "%s links to %s", file, m[1])
		}
	}
}

// The README's two commands are targets of the Makefile and do what it says.
func TestCommands(t *testing.T) {
	makefile := read(t, "Makefile")
	for _, target := range []string{"run", "test"} {
		line := regexp.MustCompile(`(?m)^    make ` + target + ` +# (.*?)(: .*)?$`).FindStringSubmatch(read(t, "README.md"))
		require.NotNil(t, line, target)
		body := strings.ReplaceAll(makefile, "$(GO)", "go")
		require.Contains(t, body, "\n"+target+": ##")
		require.Contains(t, body, "\t"+line[1]+"\n")
	}
	require.Contains(t, read(t, ".ci/run"), "make test")
}

// Every test that the table of faults names is there.
func TestFaultTable(t *testing.T) {
	rows := 0
	for line := range strings.Lines(read(t, "docs/processes.md")) {
		names := regexp.MustCompile("`(Test[A-Za-z]+)`").FindAllStringSubmatch(line, -1)
		if len(names) > 0 {
			rows++
		}
		for _, name := range names {
			found := false
			for _, pattern := range []string{"proc/*_test.go", "proc/*/*_test.go", "proc/internal/keeper/*_test.go"} {
				files, err := filepath.Glob(filepath.Join(root, pattern))
				require.NoError(t, err)
				for _, file := range files {
					text, err := os.ReadFile(file)
					require.NoError(t, err)
					found = found || strings.Contains(string(text), "\nfunc "+name[1]+"(")
				}
			}
			require.True(t, found, "no test %s", name[1])
		}
	}
	require.GreaterOrEqual(t, rows, 40)
}
