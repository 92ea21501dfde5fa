package shmtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// PointsIn reads the names of all points from Go files, or those in folders that are not
// tests: of the calls, with one string, of functions called point or Point. A name that
// stands in two places fails the test, because a kill at one of them would count for both.
func PointsIn(t testing.TB, paths ...string) []string {
	t.Helper()
	var files []string
	for _, p := range paths {
		if strings.HasSuffix(p, ".go") {
			files = append(files, p)
			continue
		}
		in, err := filepath.Glob(filepath.Join(p, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, in...)
	}
	found := map[string]token.Position{}
	set := token.NewFileSet()
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for n := range ast.Preorder(f) {
			name, ok := pointCall(n)
			if !ok {
				continue
			}
			if other, twice := found[name]; twice {
				t.Errorf("%v: point %q is at %v as well", set.Position(n.Pos()), name, other)
			}
			found[name] = set.Position(n.Pos())
		}
	}
	if len(found) == 0 {
		t.Fatalf("no points in %s", strings.Join(paths, ", "))
	}
	return slices.Sorted(maps.Keys(found))
}

// pointCall returns the name in a call of Point.
func pointCall(n ast.Node) (name string, ok bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return "", false
	}
	f := call.Fun
	if s, ok := f.(*ast.SelectorExpr); ok {
		f = s.Sel
	}
	id, ok := f.(*ast.Ident)
	if !ok || !strings.EqualFold(id.Name, "point") {
		return "", false
	}
	text, ok := call.Args[0].(*ast.BasicLit)
	if !ok || text.Kind != token.STRING {
		return "", false
	}
	name, err := strconv.Unquote(text.Value)
	return name, err == nil
}
