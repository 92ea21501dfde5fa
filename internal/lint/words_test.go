package lint

import (
	"go/ast"
	"strings"
	"testing"
)

// sharedWordsMayFault: the library's structs in shared memory have words of internal/words,
// not of sync/atomic. Built with -race, that one calls C, in which a fault, of memory
// that somebody has cut off just then, ends the program.
func sharedWordsMayFault(tr *tree) []string {
	var bad []string
	for _, f := range tr.files {
		if f.isTest() || !strings.HasPrefix(f.dir, "internal/") && f.dir != "pshared" && f.dir != "queue" || f.dir == "internal/bench" { // sealed memory that no peer can cut
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			s, ok := n.(*ast.StructType)
			if !ok || !isHostLayout(s) {
				return true
			}
			for sel := range f.uses("sync/atomic") {
				if s.Pos() < sel.Pos() && sel.Pos() < s.End() {
					bad = append(bad, tr.at(sel.Pos(), "atomic.%s in shared memory: words.%s of internal/words may fault", sel.Sel.Name, sel.Sel.Name))
				}
			}
			return true
		})
	}
	return bad
}

// isHostLayout reports whether a struct begins as those in shared memory do.
func isHostLayout(s *ast.StructType) bool {
	if s.Fields.NumFields() == 0 {
		return false
	}
	sel, ok := s.Fields.List[0].Type.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "HostLayout"
}

func TestSharedWordsMayFault(t *testing.T) {
	const text = "package m\nimport (\n\"structs\"\n\"sync/atomic\"\n)\n"
	const shared = text + "type s struct {\n_ structs.HostLayout\na [2]atomic.Uint32\n}\n"
	breaks(t, sharedWordsMayFault, sources{
		"pshared/a.go":      shared,
		"pshared/a_test.go": shared,
		"cmd/a.go":          shared,
		"internal/m/a.go":   shared,
		"internal/m/b.go":   text + "type s struct {\na atomic.Uint32\n}\n",
	}, "pshared/a.go:8: atomic.Uint32", "internal/m/a.go:8: atomic.Uint32")
}
