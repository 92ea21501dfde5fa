package lint

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// unsafeOnlyInUnsafeFiles makes the code that can break memory safety visible in
// a list of files, so that it is read twice.
func unsafeOnlyInUnsafeFiles(tr *tree) []string {
	var bad []string
	for _, f := range tr.files {
		if strings.HasSuffix(f.path, "_unsafe.go") || strings.HasSuffix(f.path, "_unsafe_test.go") {
			continue
		}
		for p, spec := range f.imports() {
			if p == "unsafe" {
				bad = append(bad, tr.at(spec.Pos(), "imports unsafe: only files named *_unsafe.go and *_unsafe_test.go may"))
			}
		}
	}
	return bad
}

func TestUnsafeOnlyInUnsafeFiles(t *testing.T) {
	const text = "package m\nimport _ \"unsafe\"\n"
	breaks(t, unsafeOnlyInUnsafeFiles, sources{
		"a_unsafe.go":       text,
		"a_unsafe_test.go":  text,
		"a.go":              text,
		"a_test.go":         text,
		"unsafe.go":         text,
		"a_unsafe_linux.go": text,
	}, "a.go:2", "a_test.go:2", "unsafe.go:2", "a_unsafe_linux.go:2")
}

// noTricksAroundUnsafe forbids the other ways to the same ends, everywhere: the
// headers of reflect that turn numbers into slices, functions of the runtime
// taken by linkname, C, and imports with a dot, which hide what is used.
func noTricksAroundUnsafe(tr *tree) []string {
	var bad []string
	for _, f := range tr.files {
		for sel := range f.uses("reflect") {
			if slices.Contains([]string{"SliceHeader", "StringHeader", "NewAt"}, sel.Sel.Name) {
				bad = append(bad, tr.at(sel.Pos(), "reflect.%s: use unsafe, in a file that says so", sel.Sel.Name))
			}
		}
		for _, group := range f.ast.Comments {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "//go:linkname") {
					bad = append(bad, tr.at(c.Pos(), "go:linkname reaches into another package"))
				}
			}
		}
		for p, spec := range f.imports() {
			if p == "C" {
				bad = append(bad, tr.at(spec.Pos(), "imports C: shmkit is pure Go"))
			}
			if spec.Name != nil && spec.Name.Name == "." {
				bad = append(bad, tr.at(spec.Pos(), "import of %s with a dot", p))
			}
		}
	}
	return bad
}

func TestNoTricksAroundUnsafe(t *testing.T) {
	breaks(t, noTricksAroundUnsafe, sources{
		"a.go": "package m\nimport r \"reflect\"\nvar h r.SliceHeader\nvar t r.Type\n",
		"b.go": "package m\nimport _ \"unsafe\"\n\n//go:linkname now runtime.nanotime\nfunc now() int64\n",
		"c.go": "package m\nimport \"C\"\nimport . \"syscall\"\n",
	}, "a.go:3: reflect.SliceHeader", "b.go:4: go:linkname", "c.go:2", "c.go:3")
}

// rawCallsOnlyInSys lets packages use the constants and types of syscall, and
// its safe functions, but not make calls of their own.
func rawCallsOnlyInSys(tr *tree) []string {
	var bad []string
	for _, f := range tr.files {
		if f.dir == "internal/sys" {
			continue
		}
		for sel := range f.uses("syscall") {
			if rawCall(sel) {
				bad = append(bad, tr.at(sel.Pos(), "syscall.%s: raw system calls stand in internal/sys", sel.Sel.Name))
			}
		}
	}
	return bad
}

// rawCall reports whether the name is one of Syscall, Syscall6, RawSyscall,
// AllThreadsSyscall, and their variants.
func rawCall(sel *ast.SelectorExpr) bool {
	name := strings.TrimPrefix(strings.TrimPrefix(sel.Sel.Name, "Raw"), "AllThreads")
	return strings.HasPrefix(name, "Syscall")
}

func TestRawCallsOnlyInSys(t *testing.T) {
	const calls = "package p\nimport \"syscall\"\nvar _ = syscall.Syscall6\nvar _ = syscall.RawSyscall\nvar _ = syscall.AllThreadsSyscall\nvar _ syscall.SysProcAttr\nvar _ = syscall.EINVAL\n"
	breaks(t, rawCallsOnlyInSys, sources{
		"internal/sys/a.go": calls,
		"sysv/a_test.go":    calls,
	}, "sysv/a_test.go:3", "sysv/a_test.go:4", "sysv/a_test.go:5")
}
