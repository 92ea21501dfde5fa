package pshared_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// Setting the clock of the machine disturbs everybody on it; setclock_test.go does so where
// there is nobody else. This test runs everywhere, and shows that nothing here looks at that
// clock: differences of time.Time values are taken on the monotonic clock unless something
// strips its reading, and what strips it, or makes a time.Time without one, is listed with
// its reason.
func TestNothingIsDecidedByTheWallClock(t *testing.T) {
	allowed := map[string]string{
		"../internal/object/config.go UnixNano": "created, for people to read",
		"../internal/object/config.go Unix":     "created, for people to read",
		"../internal/object/join.go UnixNano":   "joined, for people to read",
		"../internal/object/info.go Unix":       "joined, for people to read",
	}
	strips := map[string]bool{"Unix": true, "UnixNano": true, "UnixMilli": true, "UnixMicro": true, "Round": true, "Truncate": true, "UTC": true,
		"Local": true, "In": true, "Date": true, "Parse": true, "ModTime": true, "CLOCK_REALTIME": true, "Gettimeofday": true}
	looked := 0
	for _, dir := range []string{".", "../internal/object", "../internal/futex"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			looked++
			for n := range ast.Preorder(f) {
				s, ok := n.(*ast.SelectorExpr)
				if !ok || !strips[s.Sel.Name] || s.Sel.Name == "ModTime" && strings.HasSuffix(path, "info.go") {
					continue
				}
				if allowed[path+" "+s.Sel.Name] == "" {
					t.Errorf("%v: %s: is something decided by the wall clock?", set.Position(s.Pos()), s.Sel.Name)
				}
			}
		}
	}
	if looked < 20 {
		t.Errorf("only %d files", looked)
	}
}
