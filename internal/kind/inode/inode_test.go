package inode_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/inode"
	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, nil) }

func TestALookDoesNothingToPipesAndSaysWhatThingsAre(t *testing.T) {
	dir := t.TempDir()
	pipe, link, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "link"), filepath.Join(dir, "file")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", link); err != nil {
		t.Fatal(err)
	}
	for path, what := range map[string]string{pipe: "named pipe", dir: "directory", link: "symbolic link", "/dev/null": "device"} {
		_, err := inode.Open(path, "file:x", false)
		if !errors.Is(err, inode.ErrNotRegular) || err.Error() != "file:x is a "+what+", not a regular file" {
			t.Errorf("%s: %v", path, err)
		}
	}
	h, err := inode.Open(link, "file:x", true)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if h.Size() != 1 {
		t.Errorf("size %d", h.Size())
	}
	if err := h.SetMode(0o640); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := inode.Open(filepath.Join(dir, "nosuch"), "file:x", true); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestModesKeepWhatIsNoPermission(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o700|fs.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	h, err := inode.Open(file, "file:x", true)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.SetMode(0o750); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o750|fs.ModeSetuid {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestResidentAndDirtyPagesAreTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 20); err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	if _, err := f.WriteAt(make([]byte, 4*page), 0); err != nil {
		t.Fatal(err)
	}
	h, err := inode.Open(file, "file:x", true)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	resident := h.Resident()
	if got, ok := resident.(kind.Bytes); !ok || got < kind.Bytes(4*page) || got > 1<<20 {
		t.Errorf("resident %v", resident.Long())
	}
	facts := h.Facts()
	for name, v := range map[string]kind.Value{"resident": facts.Resident, "dirty": facts.Dirty} {
		if u, unknown := v.(kind.Unknown); unknown && !strings.Contains(string(u), "6.5") {
			t.Errorf("%s: %v", name, u)
		}
	}
}

func TestStepsSayWhatWasDoneBefore(t *testing.T) {
	var s inode.Steps
	s.Do("size", func() error { return nil })
	s.Do("mode", func() error { return fs.ErrPermission })
	s.Do("owner", func() error { t.Error("it went on"); return nil })
	if err := s.Err(); !errors.Is(err, fs.ErrPermission) || !strings.HasSuffix(err.Error(), "(done before: size)") {
		t.Error(err)
	}
}

func TestFactsOfAnObjectThatWasSeenAreThoseOfItsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("content"), 0o640); err != nil {
		t.Fatal(err)
	}
	h, err := inode.Open(file, "file:x", true)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	looked := h.Facts()
	bytes := func(v kind.Value) inspect.Amount {
		if b, ok := v.(kind.Bytes); ok {
			return inspect.Amount{Bytes: uint64(b)}
		}
		return inspect.Amount{Unknown: strings.TrimPrefix(v.Long(), "unknown: ")}
	}
	seen := inode.Seen(&inspect.Object{
		Size: 7, Allocated: bytes(looked.Allocated), Resident: bytes(looked.Resident), Dirty: bytes(looked.Dirty), Mode: 0o640,
		UID: looked.UID, GID: looked.GID, Accessed: looked.Accessed, Modified: looked.Modified, Changed: looked.Changed,
	})
	if a, b := told(looked), told(seen); a != b || !strings.Contains(a, "mode 0640") {
		t.Errorf("looked at:\n%s\nseen:\n%s", a, b)
	}
	unseen := told(inode.Seen(&inspect.Object{Err: errors.New("it is elsewhere")}))
	if strings.Count(unseen, "unknown: it is elsewhere") != strings.Count(unseen, "\n") {
		t.Errorf("of what was not looked at:\n%s", unseen)
	}
}

// told is all that facts tell, a line each.
func told(f inode.Facts) string {
	var b strings.Builder
	for _, field := range f.Fields(&kind.Names{}, true) {
		fmt.Fprintf(&b, "%s %s\n", field.Name, field.Value.Long())
	}
	return b.String()
}
