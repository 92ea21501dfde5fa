package posixshm_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/posixshm"
)

// Whatever the name: it is refused, or it makes one file directly in the directory.
func FuzzNames(f *testing.F) {
	for _, c := range names {
		f.Add(strings.ReplaceAll(c.name, "%s", "x"))
	}
	f.Fuzz(func(t *testing.T, name string) {
		d := posixshm.Dir(filepath.Join(t.TempDir(), "objects"))
		_, err := d.Open(name, nil) // of a directory that is not there
		if err == nil {
			t.Fatalf("%q was opened", name)
		}
		plain := strings.TrimLeft(name, "/")
		good := plain != "" && plain != "." && plain != ".." && !strings.ContainsAny(plain, "/\x00") && len(plain) <= 255
		if said := strings.Contains(err.Error(), "there is no directory"); said != good {
			t.Errorf("%q: %v", name, err)
		}
	})
}
