package object

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// What is left of an object when its members were killed: the test makes it by hand, since
// the last one to leave in order removes it.
func leftBehind(t *testing.T, d Dir, name string, c Config) {
	t.Helper()
	o := mustOpen(t, d, name, c)
	path := o.place.path
	if err := os.Link(path, path+"-"); err != nil {
		t.Fatal(err)
	}
	closeOK(t, o)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // a persistent one
		t.Fatal(err)
	}
	if err := os.Rename(path+"-", path); err != nil {
		t.Fatal(err)
	}
}

func TestReclaim(t *testing.T) {
	persistent, another := small(), small()
	persistent.Persistent = true
	another.Kind = Queue
	keeps := func(o *Object) bool { return bytes.Equal(o.Body()[:1], []byte{1}) }
	full := small()
	full.Init = func(o *Object) error { o.Body()[0] = 1; return nil }
	for _, c := range []struct {
		name    string
		config  Config
		removed bool
		err     error
	}{
		{"left behind", small(), true, nil},
		{"with something to tell", full, false, nil},
		{"persistent", persistent, false, nil},
		{"of another kind than its name", another, false, ErrType},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDir(t)
			leftBehind(t, d, "x", c.config)
			path := filepath.Join(d.path, "struct.x")
			if c.config.Kind != Struct {
				if err := os.Rename(filepath.Join(d.path, c.config.Kind.String()+".x"), path); err != nil {
					t.Fatal(err)
				}
			}
			removed, err := Reclaim(ctx, d, Struct, "x", keeps)
			if removed != c.removed || !errors.Is(err, c.err) {
				t.Errorf("%t, %v", removed, err)
			}
			if err := os.Remove(path); errors.Is(err, os.ErrNotExist) != c.removed {
				t.Errorf("its name: %v", err)
			}
		})
	}
}

func TestReclaimOfWhatIsUsedOrGone(t *testing.T) {
	d := newDir(t)
	if removed, err := Reclaim(ctx, d, Struct, "x", nil); !removed || err != nil {
		t.Errorf("gone: %t, %v", removed, err)
	}
	o := mustOpen(t, d, "x", small())
	if removed, err := Reclaim(ctx, d, Struct, "x", nil); removed || err != nil {
		t.Errorf("used: %t, %v", removed, err)
	}
	closeOK(t, o)
	for what, put := range map[string]func(string) error{
		"link": func(p string) error { return os.Symlink("/etc/passwd", p) },
		"text": func(p string) error { return os.WriteFile(p, make([]byte, 9000), 0o600) },
	} {
		path := filepath.Join(d.path, "struct.x")
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		if removed, err := Reclaim(ctx, d, Struct, "x", nil); removed || !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %t, %v", what, removed, err)
		}
		if err := os.Remove(path); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}
