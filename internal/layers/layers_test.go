// Package layers has no code: its test holds the imports to the architecture.
package layers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	module = "github.com/coppice-go/coppice/"
	proto  = "github.com/asynkron/protoactor-go/"
	cmap   = "github.com/orcaman/concurrent-map" // what protoactor keeps addresses in
)

// layers says, for each package, what it may import besides the standard
// library. A trailing slash allows all below.
var layers = map[string][]string{
	"internal/inside":       {},
	"internal/guard":        {proto},
	"actor":                 {module + "internal/inside", module + "internal/guard", proto},
	"strategies":            {proto},
	"tree/internal/machine": {module + "actor", module + "strategies"},
	"tree":                  {module + "actor", module + "strategies", module + "internal/", module + "tree/internal/machine", proto, cmap},
	"treetest":              {module + "actor", module + "tree", module + "internal/inside", proto},
	"proc/internal/keeper":  {"golang.org/x/sys/"},
	"proc/rotate":           {"github.com/DeRuina/timberjack"},
	"proc/internal/notify":  {"golang.org/x/sys/"},
	"proc":                  {module + "actor", module + "internal/inside", module + "proc/internal/"},
}

// dropIn are the only files of strategies that know protoactor.
var dropIn = map[string]bool{"actors.go": true, "supervised.go": true, "plan.go": true, "alarm.go": true}

func TestImportsPointDownward(t *testing.T) {
	for pkg, allowed := range layers {
		for name, file := range sources(t, pkg) {
			for _, spec := range file.Imports {
				path, err := strconv.Unquote(spec.Path.Value)
				require.NoError(t, err)
				if strings.Contains(strings.Split(path, "/")[0], ".") {
					require.True(t, allows(allowed, path), "%s/%s must not import %s", pkg, name, path)
				}
				if pkg == "strategies" && strings.HasPrefix(path, proto) {
					require.True(t, dropIn[name], "strategies/%s is pure and must not import %s", name, path)
				}
			}
		}
	}
}

func allows(allowed []string, path string) bool {
	for _, a := range allowed {
		if path == a || strings.HasSuffix(a, "/") && strings.HasPrefix(path, a) {
			return true
		}
	}
	return false
}

// The machine is a function of its inputs, and so are the pure strategies.
func TestPureCodeHasNoClockNoGoroutineNoLock(t *testing.T) {
	for _, pkg := range []string{"tree/internal/machine", "strategies"} {
		for name, file := range sources(t, pkg) {
			if pkg == "strategies" && dropIn[name] {
				continue
			}
			for _, spec := range file.Imports {
				require.NotContains(t, []string{`"sync"`, `"sync/atomic"`, `"context"`, `"os"`, `"math/rand"`, `"math/rand/v2"`},
					spec.Path.Value, "%s/%s", pkg, name)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt, *ast.ChanType, *ast.SelectStmt, *ast.SendStmt:
					t.Errorf("%s/%s: %T", pkg, name, n)
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" {
						require.NotContains(t, []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"},
							n.Sel.Name, "%s/%s", pkg, name)
					}
				}
				return true
			})
		}
	}
}

// Who imports the library must not get protoactor's clustering along.
func TestNoClusterInTheDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", module+"tree", module+"actor", module+"strategies", module+"proc").Output()
	require.NoError(t, err)
	for _, dep := range strings.Fields(string(out)) {
		for _, heavy := range []string{proto + "cluster", proto + "remote", "hashicorp/consul", "go.etcd.io", "k8s.io", "google.golang.org/grpc", "stretchr/testify", "rapid", "timberjack", "klauspost/compress"} {
			require.NotContains(t, dep, heavy)
		}
	}
}

// sources parses the package's files, tests aside.
func sources(t *testing.T, pkg string) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pkg), "*.go"))
	require.NoError(t, err)
	files := make(map[string]*ast.File)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		files[filepath.Base(name)] = f
	}
	require.NotEmpty(t, files, pkg)
	return files
}
