package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// attach attaches the segment at an address "sysv:KEY" made by the command.
func attach(t testing.TB, key int32) *shmkit.Mapping {
	t.Helper()
	seg, err := sysv.Open(sysv.Key(key))
	if err != nil {
		t.Fatal(err)
	}
	m, err := seg.Attach(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// pattern is n bytes in which every chunk differs.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + i>>16)
	}
	return b
}

func TestPutAndGetMoveMoreThanOneChunk(t *testing.T) {
	key := testenv.Key(t)
	data := pattern(3*putAhead + 17)
	mustRun(t, "create", at("sysv", key), "--size", "4M")
	r := runApp(t, &app{in: bytes.NewReader(data)}, "put", at("sysv", key), "--offset", "100")
	if r.code != 0 {
		t.Fatal(r.err)
	}
	got := make([]byte, len(data))
	if _, err := attach(t, key).ReadAt(got, 100); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Error("put changed the bytes")
	}
	if out := mustRun(t, "get", at("sysv", key), "--offset", "100", "--length", "3145745"); out != string(data) {
		t.Error("get changed the bytes")
	}
}

func TestPutOfInputThatIsTooLong(t *testing.T) {
	key := testenv.Key(t)
	addr := at("sysv", key)
	const size = 2 * putAhead
	mustRun(t, "create", addr, "--size", "2M")
	m := attach(t, key)
	untouched := func(what string) {
		t.Helper()
		if i := bytes.IndexFunc(m.Bytes(), func(r rune) bool { return r != 0 }); i >= 0 {
			t.Errorf("%s: byte %d was written", what, i)
		}
	}
	long := pattern(size + 1)

	// A file: known beforehand, counted from where it stands.
	path := filepath.Join(t.TempDir(), "long")
	if err := os.WriteFile(path, append([]byte("head"), long...), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(4, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	refused(t, runApp(t, &app{in: f}, "put", addr), exitFailed, "standard input, 2097153 bytes, does not fit", "nothing was written")
	untouched("file")

	// A pipe, that shows within what is read ahead.
	refused(t, runApp(t, &app{in: bytes.NewReader(long)}, "put", addr, "--offset", "0x1ffff0"), exitFailed, "does not fit", "16 bytes", "nothing was written")
	untouched("short pipe")

	// Input that breaks off before anything was written.
	refused(t, runApp(t, &app{in: io.MultiReader(strings.NewReader("x"), iotest.ErrReader(os.ErrDeadlineExceeded))}, "put", addr), exitFailed, "standard input: ")
	untouched("broken input")

	// A pipe that is longer: what fits was written, and the error says so.
	refused(t, runApp(t, &app{in: bytes.NewReader(long)}, "put", addr), exitFailed, "is longer than the 2097152 bytes", "these were written")
	if !bytes.Equal(m.Bytes(), long[:size]) {
		t.Error("what was written differs")
	}

	// Input that breaks off later.
	refused(t, runApp(t, &app{in: io.MultiReader(bytes.NewReader(long[:putAhead]), iotest.ErrReader(os.ErrDeadlineExceeded))}, "put", addr),
		exitFailed, "1048576 bytes were written before")

	// What fits exactly, fits.
	if r := runApp(t, &app{in: iotest.HalfReader(bytes.NewReader(long[1:]))}, "put", addr); r.code != 0 {
		t.Error(r.err)
	}
	if !bytes.Equal(m.Bytes(), long[1:]) {
		t.Error("what was written differs")
	}
}

func TestUnreadableInput(t *testing.T) {
	key := testenv.Key(t)
	mustRun(t, "create", at("sysv", key), "--size", "1")
	mustRun(t, "create", at("msg", key))
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	refused(t, runProcess(t, dir, nil, "put", at("sysv", key)), exitFailed, "shmkit put: standard input: is a directory")
	refused(t, runProcess(t, dir, nil, "msg", "send", at("msg", key)), exitFailed, "shmkit msg send: standard input: is a directory")
}
