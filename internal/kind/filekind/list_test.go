package filekind_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/filekind"
	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, nil) }

func TestFilesThatWereSeenAreDescribedAlike(t *testing.T) {
	files := filekind.Files{}
	all := files.Describe([]inspect.Object{
		{Address: "file:/nosuch/file", Kind: "file", Path: "/nosuch/file", Removed: true, Err: errors.New("its name is gone")},
		{Address: "file:/shared file", Kind: "file", Path: "/shared file", Size: 7, Mode: 0o640},
	})
	var got []string
	for _, o := range all {
		o.Set("mapped_by", kind.Count(1)) // which all kinds have
		got = append(got, strings.Join([]string{o.Value("address").Short(), o.Value("size").Short(), o.Value("mode").Short(), o.Value("marks").Short()}, " "))
		for _, c := range files.Columns() {
			if o.Value(c.Field) == nil {
				t.Errorf("%s: column %s shows %s, which is no field", o.Address, c.Heading, c.Field)
			}
		}
	}
	want := []string{"file:/nosuch/file - - deleted,unseen", "file:/shared file 7 0640 -"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// All objects have the same fields: JSON is stable.
	if a, b := fields(all[0]), fields(all[1]); a != b {
		t.Errorf("fields\n%s\n%s", a, b)
	}
}

func fields(o kind.Object) string {
	var names []string
	for _, f := range o.Fields {
		names = append(names, f.Name)
	}
	return strings.Join(names, " ")
}

func TestPathsAreCompletedAsShellsDo(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"image.iso", "image.txt", ".hidden"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "images"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "impipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := "file:" + dir + "/"
	for text, want := range map[string]string{
		at:              at + "image.iso " + at + "image.txt " + at + "images/",
		at + "image.":   at + "image.iso " + at + "image.txt",
		at + ".h":       at + ".hidden",
		at + "nosuch":   "",
		at + "images/":  "",
		"posix:x":       "",
		"file:/nosuch/": "",
	} {
		if got := strings.Join(filekind.Files{}.Complete(text), " "); got != want {
			t.Errorf("%s completes to %s", text, got)
		}
	}
}
