package memfd_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/memfd"
)

// becomes makes memory and becomes a process that has inherited it.
func becomes([]string) error {
	f, err := memfd.Create("scratch", 4096, memfd.SealShrink)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte("content"), 0); err != nil {
		return err
	}
	_, env, err := memfd.PassExec(append(os.Environ(), "SHMKIT_TEST_ROLE=became"), "scratch", f)
	if err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", os.Args[:1], env)
}

// became says what it has inherited.
func became([]string) error {
	f, err := memfd.Inherited("scratch", nil)
	if err != nil {
		return err
	}
	b := make([]byte, 7)
	if _, err := f.ReadAt(b, 0); err != nil {
		return err
	}
	return testenv.Say("%d %s", os.Getpid(), b)
}

func TestPassExecHandsMemoryToWhatTheProcessBecomes(t *testing.T) {
	p := testenv.Start(t, "becomes")
	p.Expect(fmt.Sprintf("%d content", p.Pid()))
	if err := p.Wait(); err != nil {
		t.Errorf("%v: %s", err, p.Stderr())
	}
}

func TestPassExecRefuses(t *testing.T) {
	f, err := memfd.Create("x", 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd, env, err := memfd.PassExec([]string{"A=1"}, "x", f)
	if err != nil || len(env) != 2 || env[0] != "A=1" || !strings.HasPrefix(env[1], fmt.Sprintf("%s=x:%d:", memfd.Variable, fd)) {
		t.Fatalf("%d, %q, %v", fd, env, err)
	}
	if closes, err := sys.CloseOnExec(fd); err != nil || closes {
		t.Errorf("close-on-exec %v, %v", closes, err)
	}
	if _, _, err := memfd.PassExec(env, "x", f); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the same name again: %v", err)
	}
	// Two Files of one descriptor would be made of it.
	if _, _, err := memfd.PassExec(env, "another", f); !errors.Is(err, fs.ErrExist) {
		t.Errorf("under another name: %v", err)
	}
	g, err := memfd.Create("y", 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	_, more, err := memfd.PassExec(env, "y,z", g)
	if err != nil || len(more) != 2 || !strings.Contains(more[1], "x:") || !strings.Contains(more[1], ",y%2Cz:") {
		t.Errorf("another one: %q, %v", more, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := memfd.PassExec(nil, "x", f); !errors.Is(err, shmkit.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestStatPIDTellsWhatListDoes(t *testing.T) {
	f, err := memfd.Create("looked at", 8192, memfd.SealGrow)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	own, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	got, err := memfd.StatPID(own.PID, own.FD)
	if err != nil || got != own {
		t.Errorf("%+v, %v; want %+v", got, err, own)
	}
	wantError(t, second(memfd.StatPID(own.PID, 0)), memfd.ErrNotMemfd, "stat memfd:", "it is ")
	wantError(t, second(memfd.StatPID(own.PID, 1<<20)), fs.ErrNotExist, "no such descriptor")
	wantError(t, second(memfd.StatPID(1<<30, 0)), fs.ErrNotExist, "no such process")
}

func second[T any](_ T, err error) error { return err }

// What was opened by an address is called by it.
func TestOpenPIDKeepsTheAddress(t *testing.T) {
	f, err := memfd.Create("x", 8192, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	got, err := memfd.OpenPID(info.PID, info.FD, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if got.Address() != f.Address() {
		t.Errorf("it is called %s, and was opened by %s", got.Address(), f.Address())
	}
}
