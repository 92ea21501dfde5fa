package sysv_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/sysv"
)

func TestFromPathNeedsAFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	_, err := sysv.FromPath(missing, 'a')
	var pathError *fs.PathError
	if !errors.Is(err, syscall.ENOENT) || !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &pathError) || pathError.Path != missing {
		t.Errorf("got %v, want the *fs.PathError of stat", err)
	}
	if _, err := sysv.FromPath("", 'a'); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no path: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	ok(t, os.WriteFile(file, nil, 0o600))
	if _, err := sysv.FromPath(filepath.Join(file, "below"), 'a'); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("below a file: %v", err)
	}
}

func TestFromPathMixesProjectDeviceAndInode(t *testing.T) {
	dir := t.TempDir()
	var st syscall.Stat_t
	ok(t, syscall.Stat(dir, &st))
	for _, project := range []byte{0, 1, 'a', 255} {
		key, err := sysv.FromPath(dir, project)
		ok(t, err)
		if byte(uint32(key)>>24) != project || byte(uint32(key)>>16) != byte(st.Dev) || uint16(key) != uint16(st.Ino) {
			t.Errorf("project %d of device %#x, inode %#x: key %v", project, st.Dev, st.Ino, key)
		}
	}
	same, err := sysv.FromPath(dir+"/.", 'a')
	ok(t, err)
	if key, _ := sysv.FromPath(dir, 'a'); key != same {
		t.Error("two paths of one folder give two keys")
	}
}
