package posixshm_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/posixshm"
)

var pageSize = int64(os.Getpagesize())

// freeName returns the name of an object that is removed when the test ends.
func freeName(t testing.TB) string { return "/" + testenv.Name(t) }

// newDir makes a directory of objects in /dev/shm, with the mode of /dev/shm itself.
func newDir(t testing.TB) posixshm.Dir {
	t.Helper()
	dir := filepath.Join(string(posixshm.Default), testenv.Name(t))
	ok(t, os.Mkdir(dir, 0o700))
	ok(t, os.Chmod(dir, 0o777|fs.ModeSticky))
	return posixshm.Dir(dir)
}

// entries lists everything in a directory.
func entries(t testing.TB, d posixshm.Dir) []string {
	t.Helper()
	all, err := os.ReadDir(string(d))
	ok(t, err)
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

// wantEntries requires a directory to hold these and nothing else, sorted.
func wantEntries(t testing.TB, d posixshm.Dir, names ...string) {
	t.Helper()
	if got := entries(t, d); !slices.Equal(got, names) {
		t.Errorf("%s holds %q, want %q", d, got, names)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func closeOK(t testing.TB, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// create makes an object for the test, which has to remove it.
func create(t testing.TB, d posixshm.Dir, name string, size int64, o *posixshm.Options) *posixshm.Object {
	t.Helper()
	obj, err := d.Create(name, size, o)
	ok(t, err)
	t.Cleanup(func() { closeOK(t, obj) })
	return obj
}

// open opens an object for the test.
func open(t testing.TB, d posixshm.Dir, name string, o *posixshm.OpenOptions) *posixshm.Object {
	t.Helper()
	obj, err := d.Open(name, o)
	ok(t, err)
	t.Cleanup(func() { closeOK(t, obj) })
	return obj
}

// mapped maps an object for the test.
func mapped(t testing.TB, obj *posixshm.Object, o *posixshm.MapOptions) *shmkit.Mapping {
	t.Helper()
	m, err := obj.Map(o)
	ok(t, err)
	t.Cleanup(func() { closeOK(t, m) })
	return m
}

func stat(t testing.TB, obj *posixshm.Object) posixshm.Info {
	t.Helper()
	info, err := obj.Stat()
	ok(t, err)
	return info
}

// text reads n bytes at an offset.
func text(t testing.TB, m *shmkit.Mapping, off int64, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := m.ReadAt(b, off); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t testing.TB, m *shmkit.Mapping, off int64, s string) {
	t.Helper()
	_, err := m.WriteAt([]byte(s), off)
	ok(t, err)
}

// fill writes a content that tells whether it is whole, and whose it is.
func fill(m *shmkit.Mapping, tag uint64) error {
	const part = 4096
	for off := 0; off < m.Len(); off += part {
		if _, err := m.WriteAt(content(tag, off, min(part, m.Len()-off)), int64(off)); err != nil {
			return err
		}
	}
	return nil
}

// content is what fill writes to n bytes at off.
func content(tag uint64, off, n int) []byte {
	b := make([]byte, 0, n+8)
	for i := off / 8 * 8; len(b) < n; i += 8 {
		b = binary.LittleEndian.AppendUint64(b, tag*0x9e3779b97f4a7c15+uint64(i))
	}
	return b[:n]
}

// checkWhole returns whose content an object has, and an error if it isn't whole.
func checkWhole(obj *posixshm.Object, tags ...uint64) (uint64, error) {
	m, err := obj.Map(&posixshm.MapOptions{ReadOnly: true})
	if err != nil {
		return 0, err
	}
	defer m.Close()
	b := make([]byte, m.Len())
	if _, err := m.ReadAt(b, 0); err != nil {
		return 0, err
	}
	for _, tag := range tags {
		if bytes.Equal(b, content(tag, 0, len(b))) {
			return tag, nil
		}
	}
	return 0, fmt.Errorf("%d bytes that are no whole content: %x …", len(b), b[:min(len(b), 16)])
}

// errorNames are the errnos and sentinels that tests ask for, in the order in which
// describe names them.
var errorNames = []struct {
	name string
	err  error
}{
	{"EACCES", syscall.EACCES}, {"EPERM", syscall.EPERM}, {"EINVAL", syscall.EINVAL}, {"EEXIST", syscall.EEXIST},
	{"ENOENT", syscall.ENOENT}, {"ENOTDIR", syscall.ENOTDIR}, {"ENOSPC", syscall.ENOSPC}, {"ENOMEM", syscall.ENOMEM}, {"EFBIG", syscall.EFBIG},
	{"EMFILE", syscall.EMFILE}, {"ELOOP", syscall.ELOOP}, {"ENAMETOOLONG", syscall.ENAMETOOLONG},
	{"EOPNOTSUPP", syscall.EOPNOTSUPP},
	{"fs.ErrExist", fs.ErrExist}, {"fs.ErrNotExist", fs.ErrNotExist}, {"fs.ErrPermission", fs.ErrPermission},
	{"fs.ErrInvalid", fs.ErrInvalid}, {"fs.ErrClosed", fs.ErrClosed}, {"errors.ErrUnsupported", errors.ErrUnsupported},
	{"ErrEmpty", posixshm.ErrEmpty}, {"ErrForeign", posixshm.ErrForeign}, {"ErrNotObject", posixshm.ErrNotObject},
	{"shmkit.ErrNoSpace", shmkit.ErrNoSpace}, {"shmkit.ErrTruncated", shmkit.ErrTruncated}, {"shmkit.ErrReadOnly", shmkit.ErrReadOnly},
}

// Names of errors as describe gives them.
const (
	accessDenied  = "EACCES fs.ErrPermission"
	notPermitted  = "EPERM fs.ErrPermission"
	invalid       = "EINVAL fs.ErrInvalid"
	exists        = "EEXIST fs.ErrExist"
	absent        = "ENOENT fs.ErrNotExist"
	tooLong       = "ENAMETOOLONG"
	noSpace       = "ENOSPC shmkit.ErrNoSpace"
	tooBig        = "EFBIG"
	tooManyFiles  = "EMFILE"
	emptyObject   = "EINVAL fs.ErrInvalid ErrEmpty"
	foreignObject = "EACCES fs.ErrPermission ErrForeign"
	notObject     = "EINVAL fs.ErrInvalid ErrNotObject"
	symbolicLink  = "ELOOP ErrNotObject"
	closedHandle  = "fs.ErrClosed"
)

// describe returns the names of all errors that err is, then its message.
func describe(err error) string {
	var names []string
	for _, e := range errorNames {
		if errors.Is(err, e.err) {
			names = append(names, e.name)
		}
	}
	return strings.Join(names, " ") + ": " + err.Error()
}

// wantError requires err to be all of the errors in names, and no other that has a
// name, and its message to say all of texts.
func wantError(t testing.TB, err error, names string, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that is %s", names)
	}
	wantDescription(t, describe(err), names, texts...)
}

func wantDescription(t testing.TB, description, names string, texts ...string) {
	t.Helper()
	got, message, _ := strings.Cut(description, ": ")
	if got != names {
		t.Errorf("the error is %s, want %s: %s", got, names, message)
	}
	for _, text := range texts {
		if !strings.Contains(message, text) {
			t.Errorf("the message %q does not say %q", message, text)
		}
	}
}
