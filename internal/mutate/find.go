package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// mutant is a file with one change.
type mutant struct {
	file   string
	line   int
	what   string
	source []byte
}

func (m mutant) String() string { return fmt.Sprintf("%s:%d: %s", m.file, m.line, m.what) }

// find makes all mutants of the package in dir.
func find(dir string) ([]mutant, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var list []mutant
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		found, err := inFile(file)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return list, nil
}

// inFile makes each change in turn, prints the file, and undoes it.
func inFile(file string) (list []mutant, err error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	text := func(n ast.Node) string {
		s := strings.Join(strings.Fields(string(source[fset.Position(n.Pos()).Offset:fset.Position(n.End()).Offset])), " ")
		if len(s) > 80 {
			s = s[:80] + "…"
		}
		return s
	}
	add := func(n ast.Node, what string, do, undo func()) {
		do()
		var b bytes.Buffer
		if e := format.Node(&b, fset, tree); e != nil && err == nil {
			err = e
		}
		undo()
		list = append(list, mutant{file, fset.Position(n.Pos()).Line, what + ": " + text(n), b.Bytes()})
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		if f, ok := n.(*ast.FuncDecl); ok && f.Name.Name == "String" {
			return false
		}
		mutate(n, add)
		return true
	})
	return list, err
}

var otherwise = map[token.Token][]token.Token{
	token.EQL: {token.NEQ}, token.NEQ: {token.EQL},
	token.LSS: {token.LEQ, token.GEQ}, token.LEQ: {token.LSS, token.GTR},
	token.GTR: {token.GEQ, token.LEQ}, token.GEQ: {token.GTR, token.LSS},
	token.LAND: {token.LOR}, token.LOR: {token.LAND},
	token.ADD: {token.SUB}, token.SUB: {token.ADD},
}

func mutate(n ast.Node, add func(n ast.Node, what string, do, undo func())) {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		for _, op := range otherwise[n.Op] {
			was := n.Op
			add(n, was.String()+" becomes "+op.String(), func() { n.Op = op }, func() { n.Op = was })
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			was := n.X
			add(n, "! dropped", func() { n.X = &ast.UnaryExpr{Op: token.NOT, X: was} }, func() { n.X = was })
		}
	case *ast.IncDecStmt:
		was := n.Tok
		other := map[token.Token]token.Token{token.INC: token.DEC, token.DEC: token.INC}[was]
		add(n, "becomes "+other.String(), func() { n.Tok = other }, func() { n.Tok = was })
	case *ast.Ident:
		if n.Name == "true" || n.Name == "false" {
			was := n.Name
			other := map[string]string{"true": "false", "false": "true"}[was]
			add(n, "becomes "+other, func() { n.Name = other }, func() { n.Name = was })
		}
	case *ast.BlockStmt:
		drop(&n.List, add)
	case *ast.CaseClause:
		drop(&n.Body, add)
	}
}

// drop leaves out one statement after the other.
func drop(list *[]ast.Stmt, add func(n ast.Node, what string, do, undo func())) {
	was := *list
	for i, s := range was {
		switch s := s.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.ReturnStmt, *ast.BranchStmt:
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		default:
			continue
		}
		add(s, "left out", func() { *list = append(append([]ast.Stmt{}, was[:i]...), was[i+1:]...) }, func() { *list = was })
	}
}
