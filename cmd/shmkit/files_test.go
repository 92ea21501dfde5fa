package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/sysvkind"
	"github.com/shmkit/shmkit/internal/stream"
	"github.com/shmkit/shmkit/internal/testenv"
)

// namedPipe makes a pipe with a name.
func namedPipe(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// endedBy fails the test unless the signal ended the process, which said nothing.
func (b *background) endedBy(sig syscall.Signal) {
	b.t.Helper()
	b.wait()
	if ws := b.cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != sig || b.errs.Len() > 0 {
		b.t.Errorf("%s: ended by %v: %s", b.cmd, b.cmd.ProcessState, b.errs.String())
	}
}

func TestASignalEndsWhoWaitsForANamedPipe(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		key, pipe := testenv.KeyLeakChecked(t), namedPipe(t)
		// Nobody has the other end.
		for _, args := range [][]string{{"send", pipe, at("sysv", key)}, {"recv", at("sysv", key), pipe}} {
			b := start(t, nil, args...)
			testenv.Eventually(t, "it opens the pipe", func() bool { return testenv.InSyscall(t, b.cmd.Process.Pid, syscall.SYS_OPENAT) })
			b.signal(sig)
			b.endedBy(sig)
		}
	}
}

func TestASignalEndsAReceiverWhosePipeIsFull(t *testing.T) {
	key, pipe := testenv.KeyLeakChecked(t), namedPipe(t)
	fd, err := syscall.Open(pipe, syscall.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	r := start(t, nil, "recv", at("sysv", key), pipe)
	s := start(t, nil, "send", "/proc/self/exe", at("sysv", key))
	testenv.Eventually(t, "the pipe is full", func() bool {
		_, err := syscall.Write(fd, []byte{0})
		return errors.Is(err, syscall.EAGAIN)
	})
	r.signal(syscall.SIGTERM)
	r.endedBy(syscall.SIGTERM)
	if code := s.wait(); code != exitFailed || !strings.Contains(s.errs.String(), "no receiver") {
		t.Errorf("sender: exit code %d: %s", code, s.errs.String())
	}
}

func TestFilesGoThroughNamedPipes(t *testing.T) {
	key, from, to := testenv.KeyLeakChecked(t), namedPipe(t), namedPipe(t)
	text := strings.Repeat("through three pipes\n", 20_000)
	r := start(t, nil, "recv", at("sysv", key), to)
	s := start(t, nil, "send", from, at("sysv", key))
	wrote := make(chan error, 1)
	go func() { wrote <- os.WriteFile(from, []byte(text), 0) }()
	got, err := os.ReadFile(to)
	if err := errors.Join(err, <-wrote); err != nil || string(got) != text {
		t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
	}
	s.succeeds()
	r.succeeds()
}

func TestReceivingWhereNothingCanBeWrittenFailsAtOnce(t *testing.T) {
	key := testenv.KeyLeakChecked(t)
	addr := at("sysv", key)
	refused(t, runProcess(t, nil, nil, "recv", addr, "/proc/file"), exitFailed, "create /proc/file: ")
	refused(t, runProcess(t, nil, nil, "recv", addr, "/proc"), exitFailed, "create a file in /proc: ")

	testenv.RequireRoot(t)
	// Not a folder of the test's, which others may not search.
	dir, err := os.MkdirTemp("", "shmkit-test-*")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		mode os.FileMode
		path string
		why  string
	}{
		{0o755, file, "create " + file + ": permission denied"},
		{0o755, dir, "create a file in " + dir + ": permission denied"},
		{0o755, filepath.Join(dir, "new"), "permission denied"},
		{0o777 | os.ModeSticky, file, "replace " + file + ": operation not permitted"},
		{0o700, filepath.Join(dir, "new"), "permission denied"},
	} {
		if err := os.Chmod(dir, c.mode); err != nil {
			t.Fatal(err)
		}
		refused(t, asNobody(t, "recv", addr, c.path), exitFailed, c.why)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("in the directory: %v, %v", names, err)
	}
	if exists(key) {
		t.Error("something was half-made")
	}
}

func TestAGrowingFileIsSentAsItWas(t *testing.T) {
	key := testenv.KeyLeakChecked(t)
	file := filepath.Join(t.TempDir(), "log")
	text := strings.Repeat("a line of it\n", 50_000)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, nil, "send", file, at("sysv", key))
	awaitMembers(t, key, 1, 0) // it has opened the file
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString("what came later\n")
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	r := start(t, nil, "recv", at("sysv", key))
	r.succeeds()
	s.succeeds()
	if got := r.out.String(); got != text {
		t.Errorf("%d bytes of %d", len(got), len(text))
	}
}

func TestUnreadableInputIsFoundBeforeAnybodyWaitsForIt(t *testing.T) {
	key := testenv.KeyLeakChecked(t)
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	out, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	for _, args := range [][]string{{"write", at("sysv", key)}, {"send", "-", at("sysv", key)}} {
		refused(t, runProcess(t, dir, nil, args...), exitFailed, "shmkit "+args[0]+": standard input: is a directory\n")
		refused(t, runProcess(t, out, nil, args...), exitFailed, "shmkit "+args[0]+": standard input is open for writing only\n")
	}
	// What breaks off later is told in the same words.
	broken := &app{in: iotest.ErrReader(&os.PathError{Op: "read", Path: "/dev/stdin", Err: syscall.EIO})}
	refused(t, runApp(t, broken, "write", at("sysv", key), "--readers", "0"), exitFailed, "shmkit write: standard input: input/output error\n")
}

func TestSendersWaitForReceiversAndWritersForReaders(t *testing.T) {
	for _, c := range []struct{ command, says string }{
		{"send /proc/self/exe ADDRESS", "waiting for 1 receiver: shmkit recv ADDRESS\n"},
		{"write ADDRESS --readers 2", "waiting for 2 readers: shmkit read ADDRESS\n"},
	} {
		addr := at("sysv", testenv.KeyLeakChecked(t))
		said := &tap{}
		a := &app{
			in: strings.NewReader(""), out: io.Discard, err: said, kinds: kind.NewRegistry(sysvkind.Kinds()...),
			isTerminal: func(any) bool { return true }, getenv: func(string) string { return "" },
		}
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		ended := make(chan int)
		go func() { ended <- a.run(ctx, strings.Fields(strings.ReplaceAll(c.command, "ADDRESS", addr))) }()
		testenv.Eventually(t, "it says what it waits for", func() bool { return said.String() != "" })
		cancel()
		if code, want := <-ended, strings.ReplaceAll(c.says, "ADDRESS", addr); code != exitFailed || said.String() != want {
			t.Errorf("exit code %d, %q; want %q", code, said.String(), want)
		}
	}
}

func TestAFileWithoutANameIsWrongUsage(t *testing.T) {
	addr := at("sysv", testenv.KeyLeakChecked(t))
	refused(t, run(t, "send", "", addr), exitUsage, "FILE is empty")
	refused(t, run(t, "recv", addr, ""), exitUsage, "FILE is empty")
}

func TestReceivingWritesWhatALinkPointsTo(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "real", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"dir": "real/deep", "new": "dir/../target", "again": filepath.Join(dir, "new"), "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, content := range []string{"it was not there", "it was"} {
		o, err := createOutFile(filepath.Join(dir, "again"), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_, err = o.WriteString(content)
		if err := errors.Join(err, o.Commit()); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "real", "target")); err != nil || string(got) != content {
			t.Errorf("%q, %v", got, err)
		}
	}
	if _, err := createOutFile(filepath.Join(dir, "loop"), 0o600); !errors.Is(err, syscall.ELOOP) {
		t.Error(err)
	}
}

func TestASecondFileDoesNotFollowHalfOfAFirst(t *testing.T) {
	a := &app{isTerminal: func(any) bool { return false }}
	to, err := a.newTarget(t.Context(), os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if err := to.Begin(stream.FileInfo{}); err != nil {
		t.Fatal(err)
	}
	if err := to.Begin(stream.FileInfo{}); err != nil { // nothing came yet
		t.Fatal(err)
	}
	if _, err := to.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	if err := to.Begin(stream.FileInfo{}); err == nil || !strings.Contains(err.Error(), "written to /dev/null") {
		t.Error(err)
	}
	if err := to.abort(); err != nil {
		t.Error(err)
	}
}

func TestThroughputCountsFromTheBeginningOfTheFile(t *testing.T) {
	a := &app{isTerminal: func(any) bool { return false }}
	r := &reception{target: &streamTarget{}, newProgress: a.newProgress}
	before := time.Now()
	if err := r.Begin(stream.FileInfo{}); err != nil {
		t.Fatal(err)
	}
	if r.begin.Before(before) {
		t.Error("the time of the beginning is not taken")
	}
}
