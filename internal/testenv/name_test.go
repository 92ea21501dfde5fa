package testenv

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A lock that a test left behind is in the directory of its user, under a name that does not begin with the test's.
func TestWhatIsCalledAfterANameIsFoundWhereverItIs(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"n-1", "n-1-small", "n-2", "shmkit-7/lock.n-1-lock", "shmkit-7/lock.n-2", "shmkit-8/topic.n-1", "other/lock.n-1"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := namedAfter(dir, "n-1")
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i], _ = filepath.Rel(dir, got[i])
	}
	if want := []string{"n-1", "n-1-small", "shmkit-7/lock.n-1-lock", "shmkit-8/topic.n-1"}; !slices.Equal(got, want) {
		t.Errorf("%q, expected %q", got, want)
	}
}
