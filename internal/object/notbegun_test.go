package object

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/shmtest"
)

func TestWhatIsNoObjectSaysWhatItIsAndWhatToDo(t *testing.T) {
	dir := shmtest.Dir(t)
	d := ChooseDir(dir)
	path := filepath.Join(dir, "lock.x")
	defer os.Remove(path)
	for content, want := range map[string]string{
		"":                                "it is empty",
		"hi\n":                            "it has 3 bytes, and the header of an object alone has 4096",
		strings.Repeat("nonsense", 1<<10): `it begins with "nonsense", where an object begins with "shmkitO1"`,
		strings.Repeat("\x00", 8<<10):     `it begins with zeros, where an object begins with "shmkitO1"`,
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := Look(d, Lock, "x", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, opened := Open(t.Context(), d, "x", Config{Kind: Lock})
		for op, err := range map[string]error{"stat": info.Err, "open": opened} {
			text := op + " lock:x: it is no object of shmkit: " + want + ": something else made " + path + "; if nobody needs it, remove it, or take another name"
			if !errors.Is(err, ErrForeign) || err.Error() != text {
				t.Errorf("%v, expected %s", err, text)
			}
		}
	}
}

func TestAnObjectUnderTheNameOfAnotherKindIsNotLookedInto(t *testing.T) {
	dir := shmtest.Dir(t)
	d := ChooseDir(dir)
	o, err := Create(t.Context(), d, "x", small())
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	content, err := os.ReadFile(filepath.Join(dir, "struct.x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "queue.x"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(filepath.Join(dir, "queue.x"))
	looked := func(*Info, *shmkit.Mapping, int64) error {
		t.Error("it was")
		return nil
	}
	i, err := Look(d, Queue, "x", looked)
	if err != nil || !errors.Is(i.Err, ErrType) || !strings.Contains(i.Err.Error(), "it is a struct, not a queue") {
		t.Errorf("%v, %v", i.Err, err)
	}
}
