package lint

import (
	"slices"
	"strings"
	"testing"
)

// onlySysImportsXSys keeps kernel structures and constants behind one door, where
// their layout is pinned by tests. Tests are no exception: what they need of the
// kernel gets a function in internal/sys.
func onlySysImportsXSys(tr *tree) []string {
	var bad []string
	for _, f := range tr.files {
		for p, spec := range f.imports() {
			if within(p, "golang.org/x/sys/...") && f.dir != "internal/sys" {
				bad = append(bad, tr.at(spec.Pos(), "imports %s: only internal/sys may; add a function there", p))
			}
		}
	}
	return bad
}

func TestOnlySysImportsXSys(t *testing.T) {
	breaks(t, onlySysImportsXSys, sources{
		"internal/sys/a.go":  "package sys\nimport \"golang.org/x/sys/unix\"\n",
		"sysv/a.go":          "package sysv\nimport \"golang.org/x/sys/unix\"\n",
		"sysv/a_test.go":     "package sysv\nimport u \"golang.org/x/sys/cpu\"\n",
		"internal/sys2/a.go": "package sys2\nimport _ \"golang.org/x/sys\"\nimport \"golang.org/x/system\"\n",
	}, "sysv/a.go:2", "sysv/a_test.go:2", "internal/sys2/a.go:2")
}

const (
	testenvDir = "internal/testenv"
	shmtestDir = "shmtest"
	anything   = "anything"
)

// A layer says which packages of this module a package may import.
type layer struct {
	pkg   string   // "." is the root package; "/..." at the end includes everything below
	may   []string // the same patterns, or anything
	tests []string // what its tests may import besides
}

// layers is the direction of dependencies. Read it from the bottom of the house
// upwards.
var layers = []layer{
	{pkg: "internal/sys"},
	{pkg: "internal/words"},
	{pkg: "internal/futex", may: []string{"internal/sys", "internal/words"}},
	{pkg: "internal/vm", may: []string{"internal/sys"}},
	// The model makes no call. Its tests ask the kernel.
	{pkg: "internal/model", tests: []string{"internal/sys", "internal/live", "sysv"}},
	{pkg: "internal/live", may: []string{"internal/model", "internal/sys"}},
	// A mapping comes from somewhere: the tests take System V segments.
	{pkg: ".", may: []string{"internal/sys", "internal/vm", "internal/words"}, tests: []string{"sysv", "internal/fdmap"}},
	{pkg: "sysv", may: []string{".", "internal/sys", "internal/vm"}},
	{pkg: "internal/fdmap", may: []string{".", "internal/sys", "internal/vm"}},
	{pkg: "filemap", may: []string{".", "internal/fdmap", "internal/sys"}},
	{pkg: "posixshm", may: []string{".", "internal/fdmap", "internal/sys"}},
	{pkg: "memfd", may: []string{".", "internal/fdmap", "internal/proc", "internal/sys"}},
	{pkg: "internal/object", may: []string{".", "internal/fdmap", "internal/sys", "internal/words"}},
	{pkg: "internal/guest"},
	{pkg: "pshared", may: []string{".", "internal/object", "internal/futex", "internal/race", "internal/guest", "internal/words"}, tests: []string{"internal/sys", "sysv"}},
	{pkg: "queue", may: []string{".", "pshared", "internal/object", "internal/futex", "internal/guest", "internal/words"}, tests: []string{"internal/sys", "internal/race"}},
	{pkg: "topic", may: []string{".", "pshared", "internal/object", "internal/futex", "internal/words", "internal/race"}, tests: []string{"internal/sys", "internal/race"}},
	{pkg: "doctor", may: []string{"sysv", "pshared", "queue", "topic", "inspect", "internal/proc", "internal/sys"}},
	{pkg: "internal/race"},
	{pkg: "explain", may: []string{".", "sysv", "memfd", "filemap", "posixshm", "pshared", "queue", "topic", "internal/live", "internal/model", "internal/sys", "internal/words"}},
	{pkg: "internal/stream", may: []string{".", "sysv", "topic", "internal/fdmap", "internal/sys", "internal/vm", "internal/words"}},
	{pkg: "internal/address"},
	{pkg: "internal/proc", may: []string{"internal/sys"}},
	{pkg: "inspect", may: []string{"sysv", "posixshm", "memfd", "pshared", "queue", "topic", "internal/object", "internal/proc", "internal/address", "internal/sys"}, tests: []string{".", "filemap"}},
	{pkg: "internal/kind", may: []string{".", "inspect", "sysv", "filemap", "pshared", "queue", "topic", "internal/address", "internal/stream"}},
	{pkg: "internal/kind/named", may: []string{"inspect", "pshared", "internal/address", "internal/kind"}},
	{pkg: "internal/kind/lockkind", may: []string{"inspect", "pshared", "internal/address", "internal/kind", "internal/kind/named"}},
	{pkg: "internal/kind/queuekind", may: []string{"inspect", "pshared", "queue", "internal/address", "internal/kind", "internal/kind/named"}},
	{pkg: "internal/kind/topickind", may: []string{"inspect", "topic", "internal/address", "internal/stream", "internal/kind", "internal/kind/named"}},
	{pkg: "internal/kind/sysvkind", may: []string{".", "inspect", "sysv", "internal/address", "internal/stream", "internal/kind"}},
	{pkg: "internal/kind/inode", may: []string{"inspect", "internal/address", "internal/kind", "internal/sys"}},
	{pkg: "internal/kind/posixkind", may: []string{".", "inspect", "posixshm", "filemap", "internal/address", "internal/stream", "internal/kind", "internal/kind/inode", "internal/sys"}},
	{pkg: "internal/kind/filekind", may: []string{".", "inspect", "filemap", "internal/address", "internal/stream", "internal/kind", "internal/kind/inode", "internal/sys"}},
	{pkg: "internal/kind/memfdkind", may: []string{".", "inspect", "memfd", "filemap", "internal/address", "internal/stream", "internal/kind", "internal/kind/inode", "internal/sys"}},
	{pkg: "internal/kind/mapkind", may: []string{"inspect", "internal/address", "internal/kind", "internal/kind/inode"}},
	// A screen of the command, on what inspect tells.
	{pkg: "internal/filescan", may: []string{"filemap"}},
	{pkg: "internal/bench", may: []string{"internal/filescan", ".", "sysv", "memfd", "filemap", "pshared", "queue", "topic", "internal/sys"}, tests: []string{"internal/race"}},
	{pkg: "internal/bench/report", may: []string{"internal/bench", "internal/kind"}},
	{pkg: "internal/top", may: []string{"inspect", "internal/kind", "internal/proc"}, tests: []string{"filemap", "pshared", "queue", "topic"}},
	{pkg: "cmd/...", may: []string{anything}},
	// Runs the command, and plays the processes that are seen.
	{pkg: "internal/screens", may: []string{".", "posixshm", "sysv"}},

	// Examples show what users can do, so they have no more than users have.
	{pkg: "examples/...", may: []string{".", "sysv", "pshared", "queue", "topic"}},
	{pkg: "benchmarks/...", may: []string{anything}},

	// For users' tests: what testenv has, and its tests and examples show it on a lock.
	{pkg: shmtestDir, may: []string{"internal/sys", testenvDir}, tests: []string{"pshared"}},
	{pkg: testenvDir, may: []string{"internal/sys"}},
	{pkg: "internal/lint"},
}

// dependenciesPointDown checks every import within the module against layers.
// Tests may import what their package may, the package itself, testenv, and what
// their row says.
func dependenciesPointDown(tr *tree) []string {
	var bad []string
	for _, f := range tr.files {
		row := slices.IndexFunc(layers, func(l layer) bool { return within(f.dir, l.pkg) })
		if row < 0 {
			bad = append(bad, tr.at(f.ast.Package, "package folder %s is unknown: add a row to layers in internal/lint", f.dir))
			continue
		}
		may := layers[row].may
		if f.isTest() {
			may = slices.Concat(may, layers[row].tests, []string{f.dir, testenvDir, shmtestDir})
		}
		for p, spec := range f.imports() {
			dir, ok := tr.internal(p)
			if !ok || slices.Contains(may, anything) || within(dir, may...) {
				continue
			}
			bad = append(bad, tr.at(spec.Pos(), "%s may not import %s: see layers in internal/lint", f.dir, dir))
		}
	}
	return bad
}

func TestDependenciesPointDown(t *testing.T) {
	breaks(t, dependenciesPointDown, sources{
		"m.go":                 "package m\nimport \"m/internal/sys\"\n",
		"up.go":                "package m\nimport \"m/sysv\"\n",
		"m_test.go":            "package m_test\nimport \"m\"\nimport \"m/internal/testenv\"\n",
		"row_test.go":          "package m_test\nimport \"m/sysv\"\n",
		"up_test.go":           "package m_test\nimport \"m/internal/kind\"\n",
		"internal/sys/a.go":    "package sys\nimport \"m\"\nimport \"fmt\"\n",
		"sysv/a.go":            "package sysv\nimport \"m\"\nimport \"m/internal/sys\"\n",
		"cmd/shmkit/a.go":      "package main\nimport \"m/internal/kind\"\n",
		"examples/first/a.go":  "package main\nimport \"m/sysv\"\n",
		"examples/second/a.go": "package main\nimport \"m/internal/sys\"\n",
		"novel/a.go":           "package novel\n",
		"other/m/a.go":         "package m\n",
	},
		"up.go:2: . may not import sysv",
		"up_test.go:2",
		"internal/sys/a.go:2: internal/sys may not import .",
		"examples/second/a.go:2",
		"novel/a.go:1: package folder novel is unknown: add a row",
		"other/m/a.go:1",
	)
}

// onlyTestsImportTestenv keeps helpers that fail tests out of programs, also of
// those that may import anything. shmtest hands them on to users' tests, and counts as
// a helper itself.
func onlyTestsImportTestenv(tr *tree) []string {
	var bad []string
	for _, f := range tr.files {
		for p, spec := range f.imports() {
			if dir, ok := tr.internal(p); ok && within(dir, testenvDir+"/...", shmtestDir) && !f.isTest() && f.dir != shmtestDir {
				bad = append(bad, tr.at(spec.Pos(), "imports %s: only tests may", dir))
			}
		}
	}
	return bad
}

func TestOnlyTestsImportTestenv(t *testing.T) {
	breaks(t, onlyTestsImportTestenv, sources{
		"cmd/shmkit/a.go":      "package main\nimport \"m/internal/testenv\"\n",
		"cmd/shmkit/a_test.go": "package main\nimport \"m/internal/testenv\"\n",
		"sysv/a.go":            "package sysv\nimport \"m/shmtest\"\n",
		"shmtest/a.go":         "package shmtest\nimport \"m/internal/testenv\"\n",
	}, "cmd/shmkit/a.go:2", "sysv/a.go:2")
}

// notLibrary are the folders whose packages users of the library don't compile.
var notLibrary = []string{
	"cmd/...", "examples/...", "benchmarks/...", testenvDir, shmtestDir, "internal/lint", "internal/kind/...", "internal/top", "internal/bench", "internal/filescan",
}

// libraryImportsOnlyStd promises users of the library that it brings in nothing
// but golang.org/x/sys.
func libraryImportsOnlyStd(tr *tree) []string {
	var bad []string
	for _, f := range tr.files {
		if f.isTest() || within(f.dir, notLibrary...) {
			continue
		}
		for p, spec := range f.imports() {
			if _, ours := tr.internal(p); ours || standard(p) || within(p, "golang.org/x/sys/...") {
				continue
			}
			bad = append(bad, tr.at(spec.Pos(), "the library imports %s: only the standard library and golang.org/x/sys", p))
		}
	}
	return bad
}

// standard reports whether the import path is of the standard library: those
// have no dot in their first element, where others have a host name.
func standard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}

func TestLibraryImportsOnlyStd(t *testing.T) {
	const foreign = "import \"github.com/spf13/cobra\"\n"
	breaks(t, libraryImportsOnlyStd, sources{
		"internal/sys/a.go":  "package sys\nimport \"golang.org/x/sys/unix\"\nimport \"os/exec\"\nimport \"m/internal/vm\"\n",
		"sysv/a.go":          "package sysv\n" + foreign,
		"sysv/a_test.go":     "package sysv\n" + foreign,
		"internal/kind/a.go": "package kind\n" + foreign,
		"cmd/shmkit/a.go":    "package main\n" + foreign,
		"cmdline/a.go":       "package cmdline\nimport \"golang.org/x/term\"\n",
	}, "sysv/a.go:2", "cmdline/a.go:2")
}
