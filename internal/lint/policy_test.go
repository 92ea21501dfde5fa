package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// A rule returns what breaks it in the tree, one line each.
type rule func(*tree) []string

// policies are all rules, each under the name it is reported by.
var policies = map[string]rule{
	"x/sys only in internal/sys":      onlySysImportsXSys,
	"dependencies point down":         dependenciesPointDown,
	"only tests import testenv":       onlyTestsImportTestenv,
	"the library imports only std":    libraryImportsOnlyStd,
	"direct requirements have reason": requirementsHaveReasons,
	"unsafe only in unsafe files":     unsafeOnlyInUnsafeFiles,
	"no tricks around unsafe":         noTricksAroundUnsafe,
	"raw system calls in sys":         rawCallsOnlyInSys,
	"packages have comments":          packagesHaveComments,
	"tests don't sleep":               testsDontSleep,
	"files fit a reader's head":       filesFitAReadersHead,
	"no init functions":               noInitFunctions,
	"no words of one workplace":       noWordsOfOneWorkplace,
	"ci skips nothing":                ciSkipsNothing,
	"killed tests leave nothing":      systemVTestsHaveOwnIPC,
	"shared words may fault":          sharedWordsMayFault,
}

func TestPolicies(t *testing.T) {
	tr, err := load(os.DirFS(moduleRoot(t)))
	if err != nil {
		t.Fatal(err)
	}
	// A rule that looked at nothing would be content.
	if len(tr.files) < 10 || len(tr.texts) <= len(tr.files) {
		t.Fatalf("only %d Go files among %d texts", len(tr.files), len(tr.texts))
	}
	for name, check := range policies {
		t.Run(name, func(t *testing.T) {
			for _, violation := range check(tr) {
				t.Error(violation)
			}
		})
	}
}

// moduleRoot is the nearest folder upwards that holds go.mod.
func moduleRoot(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = parent
	}
}

// sources are the files of a made-up module by path. Without a go.mod they get
// one for the module "m", whose packages then are "m/sysv" and so on.
type sources map[string]string

// breaks requires the rule to report exactly the violations in wants, each
// recognised by a part of it.
func breaks(t *testing.T, check rule, src sources, wants ...string) {
	t.Helper()
	files := fstest.MapFS{"go.mod": {Data: []byte("module m\n")}}
	for name, text := range src {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	tr, err := load(files)
	if err != nil {
		t.Fatal(err)
	}
	got := check(tr)
	if len(got) != len(wants) {
		t.Errorf("%d violations, want %d:\n%s", len(got), len(wants), strings.Join(got, "\n"))
	}
	for _, want := range wants {
		if !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("no violation with %q in:\n%s", want, strings.Join(got, "\n"))
		}
	}
}

func TestTreeLeavesOutWhatGitAndGoLeaveOut(t *testing.T) {
	const broken = "this is not Go"
	tr, err := load(fstest.MapFS{
		"go.mod":              {Data: []byte("module m\n\ngo 1.26\n")},
		"a.go":                {Data: []byte("package m\n")},
		"sub/b_test.go":       {Data: []byte("package sub\n")},
		".gitignore":          {Data: []byte("# made\n/bin/\n*.log\n")},
		"bin/g.go":            {Data: []byte(broken)},
		"sub/bin/h_test.go":   {Data: []byte("package bin\n")},
		"sub/ci.log":          {Data: []byte("a log\n")},
		".git/HEAD.go":        {Data: []byte(broken)},
		".ci/run.go":          {Data: []byte(broken)},
		"_old/c.go":           {Data: []byte(broken)},
		"_d.go":               {Data: []byte(broken)},
		"sub/testdata/x/e.go": {Data: []byte(broken)},
		"peers/go.mod":        {Data: []byte("module peers\n")},
		"peers/deep/f.go":     {Data: []byte(broken)},
		"picture.png":         {Data: []byte("a\x00b")},
	})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range tr.files {
		paths = append(paths, f.path)
	}
	if got := strings.Join(paths, " "); got != "a.go sub/b_test.go sub/bin/h_test.go" || tr.module != "m" {
		t.Errorf("module %q, Go files %q", tr.module, got)
	}
	for path, want := range map[string]bool{
		".ci/run.go": true, "sub/testdata/x/e.go": true, "peers/deep/f.go": true, "go.mod": true,
		".git/HEAD.go": false, "bin/g.go": false, "sub/ci.log": false, "picture.png": false,
	} {
		if _, got := tr.texts[path]; got != want {
			t.Errorf("%s among the texts: %t, want %t", path, got, want)
		}
	}
}
