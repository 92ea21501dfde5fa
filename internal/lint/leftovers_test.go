package lint

import (
	"go/token"
	"maps"
	"path"
	"slices"
	"testing"
)

// systemVTestsHaveOwnIPC: what a test makes by System V stays when the test is killed, unless
// the whole test binary has an IPC namespace of its own. testenv.Main sees to that, or
// testenv.OwnIPC does.
func systemVTestsHaveOwnIPC(tr *tree) []string {
	makes, owns := map[string]token.Pos{}, map[string]bool{}
	for _, f := range tr.files {
		if !f.isTest() {
			continue
		}
		if path.Base(f.dir) == "sysv" {
			makes[f.dir] = f.ast.Package
		}
		for p, spec := range f.imports() {
			if dir, ok := tr.internal(p); ok && dir == "sysv" {
				makes[f.dir] = spec.Pos()
			}
		}
		for sel := range f.uses(tr.module + "/" + testenvDir) {
			if sel.Sel.Name == "Main" || sel.Sel.Name == "OwnIPC" {
				owns[f.dir] = true
			}
		}
	}
	var bad []string
	for _, dir := range slices.Sorted(maps.Keys(makes)) {
		if !owns[dir] {
			bad = append(bad, tr.at(makes[dir], "tests with System V objects: TestMain has to call testenv.Main or testenv.OwnIPC"))
		}
	}
	return bad
}

func TestSystemVTestsHaveOwnIPC(t *testing.T) {
	const (
		with = "package m\nimport \"m/sysv\"\n"
		main = "package m\nimport \"m/internal/testenv\"\nfunc TestMain() { testenv.Main(m, nil) }\n"
	)
	breaks(t, systemVTestsHaveOwnIPC, sources{
		"a/a_test.go": with, "a/main_test.go": main,
		"b/b_test.go":    with + "import \"m/internal/testenv\"\nfunc TestMain() { testenv.OwnIPC() }\n",
		"c/c_test.go":    with + "import \"m/internal/testenv\"\nfunc TestMain() { testenv.Checked(m, nil) }\n",
		"d/d.go":         with,
		"sysv/s_test.go": "package sysv\n",
	}, "c/c_test.go:2: tests with System V objects", "sysv/s_test.go:1")
}
