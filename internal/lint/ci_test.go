package lint

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const ciScript = ".ci/run"

// everywhere are programs that CI need not install: it could not run without them.
var everywhere = []string{"go", "sh", "cat", "true"}

// ciSkipsNothing: where CI is "true", a test that misses a program fails instead of
// being skipped. So CI has to say so, and to install what tests ask for by name.
func ciSkipsNothing(tr *tree) []string {
	script, ok := tr.texts[ciScript]
	if !ok {
		return nil
	}
	var bad []string
	if !strings.Contains(script, "\nexport CI=true") {
		bad = append(bad, ciScript+`: no "export CI=true": tests that miss a program are skipped`)
	}
	_, tools, _ := strings.Cut(script, "\nTOOLS=\"")
	tools, _, _ = strings.Cut(tools, "\"")
	for _, f := range tr.files {
		if !f.isTest() {
			continue
		}
		for n := range ast.Preorder(f.ast) {
			name, ok := toolRequired(n)
			installed := slices.ContainsFunc(strings.Fields(tools), func(entry string) bool { return strings.HasPrefix(entry, name+":") })
			if ok && !installed && !slices.Contains(everywhere, name) {
				bad = append(bad, tr.at(n.Pos(), "needs the program %s, which is not in TOOLS of %s", name, ciScript))
			}
		}
	}
	return bad
}

// toolRequired returns the program that a call of testenv.RequireTool names.
func toolRequired(n ast.Node) (string, bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 2 {
		return "", false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "RequireTool" {
		return "", false
	}
	lit, ok := call.Args[1].(*ast.BasicLit)
	if !ok {
		return "", false
	}
	name, err := strconv.Unquote(lit.Value)
	return name, err == nil
}

func TestCISkipsNothing(t *testing.T) {
	const tests = `package m
func a() {
	testenv.RequireTool(t, "go")
	testenv.RequireTool(t, "gcc")
	testenv.RequireTool(t, "dump")
	testenv.RequireTool(t, name)
}
`
	breaks(t, ciSkipsNothing, sources{ciScript: "#!/bin/sh\nexport CI=true\nTOOLS=\"gcc:gcc hexdump:bsd\"\n", "a_test.go": tests}, "a_test.go:5: needs the program dump")
	breaks(t, ciSkipsNothing, sources{ciScript: "#!/bin/sh\nTOOLS=\"gcc:gcc dump:dump\"\n", "a_test.go": tests}, ciScript)
	breaks(t, ciSkipsNothing, sources{"a_test.go": tests})
}
