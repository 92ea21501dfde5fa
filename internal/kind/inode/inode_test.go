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

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/inode"
	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, nil) }

// fixture makes a /proc of some processes' maps.
func fixture(t *testing.T, maps map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range maps {
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if text == "gone" { // a process that ended meanwhile
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, "maps"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestMappingsOfAllProcesses(t *testing.T) {
	root := fixture(t, map[string]string{
		"10": `00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/dbus daemon
00e03000-00e24000 rw-p 00000000 00:00 0           [heap]
7f0000000000-7f0000001000 rw-s 00000000 fd:1a 42         /var/data\012x (deleted)
7f0000001000-7f0000003000 r--s 00001000 fd:1a 42         /var/data\012x (deleted)
nonsense / line
`,
		"9": `7f0000000000-7f0000001000 rw-p 00000000 fd:1a 42         /var/data\012x (deleted)
`,
		"11": "gone", "self": "00400000-00452000 r-xp 00000000 08:02 1 /self\n", "0": "00400000-00452000 r-xp 00000000 08:02 2 /zero\n",
	})
	all := inode.Mappings(root)
	if all.Err != nil || len(all.Files) != 2 || all.Hidden != 0 {
		t.Fatalf("%+v", all)
	}
	data := all.Files[inode.ID{Major: 0xfd, Minor: 0x1a, Inode: 42}]
	if data == nil || data.Path != "/var/data\nx" || !data.Deleted || !data.Shared() {
		t.Fatalf("%+v", data)
	}
	if got := fmt.Sprint(data.Mappers); got != "[{10 12288 true true false} {9 4096 false false false}]" {
		t.Errorf("mappers %s", got)
	}
	bin := all.Files[inode.ID{Major: 8, Minor: 2, Inode: 173521}]
	if bin == nil || bin.Path != "/usr/bin/dbus daemon" || bin.Deleted || bin.Shared() || !bin.Mappers[0].Executing {
		t.Errorf("%+v", bin)
	}
	if ids := all.IDs(); len(ids) != 2 || ids[0].Inode != 173521 {
		t.Errorf("order %v", ids)
	}
	if none := inode.Mappings(filepath.Join(root, "nosuch")); !errors.Is(none.Err, fs.ErrNotExist) {
		t.Errorf("%+v", none)
	}
}

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
	for _, field := range h.CacheFields() {
		if u, unknown := field.Value.(kind.Unknown); unknown && !strings.Contains(string(u), "6.5") {
			t.Errorf("%s: %v", field.Name, u)
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
