package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

func TestLinesGoThroughFilesInAnyOrderOfStart(t *testing.T) {
	onTopicsToo(t, func(t *testing.T, s site) {
		const want = "one\n\nthree\nlast\n"
		for _, writerFirst := range []bool{true, false} {
			var w, r *background
			if writerFirst {
				w = start(t, strings.NewReader("one\n\nthree\nlast"), "write", s.addr)
				s.await(t, 1, 0)
				r = start(t, nil, "read", s.addr)
			} else {
				r = start(t, nil, "read", s.addr)
				s.await(t, 0, 1)
				w = start(t, strings.NewReader("one\n\nthree\nlast"), "write", s.addr)
			}
			w.succeeds()
			r.succeeds()
			if r.out.String() != want {
				t.Errorf("writer first %v: %q", writerFirst, r.out.String())
			}
			s.isEmpty(t)
		}
	})
}

func TestManyWritersAndReadersOnFiles(t *testing.T) {
	onTopicsToo(t, func(t *testing.T, s site) {
		const lines = 500
		inputs := []string{linesOf(0, lines), linesOf(1, lines), linesOf(2, lines)}
		readers := []*background{start(t, nil, "read", s.addr, "--size", "16K"), start(t, nil, "read", s.addr)}
		s.await(t, 0, 2)
		gate := make(chan struct{})
		var writers []*background
		for _, in := range inputs {
			writers = append(writers, start(t, &gated{gate, strings.NewReader(in)}, "write", s.addr))
		}
		s.await(t, len(inputs), 2)
		close(gate)
		for _, b := range append(writers, readers...) {
			b.succeeds()
		}
		checkLines(t, readers[0].out.String(), inputs, func(int) bool { return true })
		if s.topic != "" { // where lines of different writers have no order
			checkLines(t, readers[1].out.String(), inputs, func(int) bool { return true })
		} else if readers[0].out.String() != readers[1].out.String() {
			t.Error("the readers printed different things")
		}
		s.isEmpty(t)
	})
}

func TestWritersAndReadersOnFilesSurviveKills(t *testing.T) {
	onTopicsToo(t, func(t *testing.T, s site) {
		const lines = 1000
		inputs := []string{linesOf(0, lines), linesOf(1, lines)}
		total := len(inputs[0]) + len(inputs[1])
		for killed := 0; killed < min(kills(), 20); {
			readers := []*background{start(t, nil, "read", s.addr, "--size", "16K"), start(t, nil, "read", s.addr)}
			s.await(t, 0, 2)
			gate := make(chan struct{})
			writers := []*background{
				start(t, &gated{gate, strings.NewReader(inputs[0])}, "write", s.addr),
				start(t, &gated{gate, strings.NewReader(inputs[1])}, "write", s.addr),
			}
			s.await(t, 2, 2)
			close(gate)
			victims := []*background{writers[0], writers[1], readers[1]}
			dead := map[*background]bool{}
			for _, i := range rand.Perm(len(victims))[:1+rand.IntN(len(victims))] {
				select {
				case <-readers[0].out.reaches(rand.IntN(total)):
				case <-readers[0].done:
				}
				victims[i].signal(syscall.SIGKILL)
				dead[victims[i]] = true
				killed++
			}
			for i, w := range writers {
				if code := w.wait(); code != 0 && !dead[w] {
					t.Errorf("writer %d: exit code %d: %s", i, code, w.errs.String())
				}
			}
			readers[0].succeeds()
			checkLines(t, readers[0].out.String(), inputs, func(i int) bool { return !dead[writers[i]] })
			readers[1].wait()
			s.sweep(t)
			if t.Failed() {
				return
			}
		}
	})
}

func TestAllKilledLeaveWhatTheNextOneCleansUp(t *testing.T) {
	onTopicsToo(t, func(t *testing.T, s site) {
		gate := make(chan struct{})
		w, r := start(t, &gated{gate, strings.NewReader("")}, "write", s.addr), start(t, nil, "read", s.addr)
		s.await(t, 1, 1)
		for _, b := range []*background{w, r} {
			b.signal(syscall.SIGKILL)
		}
		close(gate)
		w.wait()
		r.wait()
		s.await(t, 0, 0)
		// What they left is found and thrown away, by a stream of another content too.
		f := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(f, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
		send := start(t, nil, "send", f, s.addr)
		recv := start(t, nil, "recv", s.addr)
		send.succeeds()
		recv.succeeds()
		if recv.out.String() != "content" {
			t.Errorf("%q", recv.out.String())
		}
		s.isEmpty(t)
	})
}

func TestFilesGoThroughFiles(t *testing.T) {
	data := pattern(3<<20 + 17)
	file := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(file, data, 0o640); err != nil {
		t.Fatal(err)
	}
	onTopicsToo(t, func(t *testing.T, s site) {
		out := t.TempDir()
		send := start(t, nil, "send", file, s.addr, "--receivers", "2")
		s.await(t, 1, 0)
		recvs := []*background{start(t, nil, "recv", s.addr, out), start(t, nil, "recv", s.addr, filepath.Join(out, "two"))}
		send.succeeds()
		for i, name := range []string{"in", "two"} {
			recvs[i].succeeds()
			got, err := os.ReadFile(filepath.Join(out, name))
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
		}
		if !strings.Contains(send.errs.String(), fmt.Sprintf("2 receivers, all verified: SHA-256 %x", sha256.Sum256(data))) {
			t.Error(send.errs.String())
		}
		s.isEmpty(t)
	})
}

func TestAReceiverThatCameInTheMiddleWaitsForTheNextSender(t *testing.T) {
	onTopicsToo(t, func(t *testing.T, s site) {
		first, second := pattern(1<<20), pattern(1<<20+1)
		gate := make(chan struct{})
		early := start(t, nil, "recv", s.addr)
		s.await(t, 0, 1)
		send := start(t, io.MultiReader(bytes.NewReader(first), &gated{gate, bytes.NewReader(first)}), "send", "-", s.addr)
		<-early.out.reaches(1)
		late := start(t, nil, "recv", s.addr)
		interrupted := start(t, nil, "recv", s.addr)
		s.await(t, 1, 3)
		close(gate)
		send.succeeds()
		early.succeeds()
		s.await(t, 0, 2)
		interrupted.signal(syscall.SIGINT)
		interrupted.wait()
		start(t, bytes.NewReader(second), "send", "-", s.addr).succeeds()
		late.succeeds()
		if late.out.String() != string(second) {
			t.Errorf("%d bytes", len(late.out.String()))
		}
		if told := "shmkit recv: a transfer of " + s.addr + " is under way; waiting for the next\n"; !strings.HasPrefix(late.errs.String(), told) || interrupted.errs.String() != told {
			t.Errorf("%q, and %q of the one that was interrupted", late.errs.String(), interrupted.errs.String())
		}
		s.isEmpty(t)
	})
}

func TestRemovingTheFileOfAStreamEndsIt(t *testing.T) {
	onEach(t, func(t *testing.T, s site) {
		if s.kept {
			t.Skip("memory without a name has nothing to remove")
		}
		r := start(t, nil, "read", s.addr)
		s.await(t, 0, 1)
		if rm := runKinds(t, "rm", s.addr); rm.code != exitDone {
			t.Fatal(rm.err)
		}
		if code := r.wait(); code != exitFailed || !strings.Contains(r.errs.String(), "was removed while in use") || strings.Count(r.errs.String(), "\n") != 1 {
			t.Errorf("exit code %d: %q", code, r.errs.String())
		}
		s.isEmpty(t)
		// The address is free at once.
		b := start(t, nil, "read", s.addr)
		s.await(t, 0, 1)
		start(t, strings.NewReader("again\n"), "write", s.addr).succeeds()
		b.succeeds()
	})
}

func TestMakingTheFileOfAStreamShorterEndsIt(t *testing.T) {
	onEach(t, func(t *testing.T, s site) {
		if s.kept {
			t.Skip("this memory is sealed against that")
		}
		r := start(t, nil, "read", s.addr)
		s.await(t, 0, 1)
		if set := runKinds(t, "set", s.addr, "--size", "1"); set.code != exitDone {
			t.Fatal(set.err)
		}
		if code := r.wait(); code != exitFailed || !strings.Contains(r.errs.String(), "truncated while in use") || strings.Count(r.errs.String(), "\n") != 1 {
			t.Errorf("exit code %d: %q", code, r.errs.String())
		}
		if rm := runKinds(t, "rm", s.addr); rm.code != exitDone && !strings.Contains(rm.err, "does not exist") {
			t.Error(rm.err)
		}
	})
}

func TestEverySignalLeavesNothingOnFiles(t *testing.T) {
	onTopicsToo(t, func(t *testing.T, s site) {
		for i, args := range [][]string{{"write"}, {"read"}, {"recv"}, {"send", "/proc/self/exe"}} {
			sig := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}[i%3]
			b := start(t, nil, append(append([]string(nil), args...), s.addr)...)
			if verb := args[0]; verb == "write" || verb == "send" {
				s.await(t, 1, 0)
			} else {
				s.await(t, 0, 1)
			}
			b.signal(sig)
			b.wait()
			if ws := b.cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != sig {
				t.Errorf("%v: ended by %v", args, b.cmd.ProcessState)
			}
			s.isEmpty(t)
		}
	})
}

// Whoever knows a stream as something else is told so, and nothing becomes of it.
func TestStreamsLeaveForeignFilesAlone(t *testing.T) {
	onEach(t, func(t *testing.T, s site) {
		content := append(make([]byte, 1<<19), pattern(1<<19)...)
		f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600) // memfds are sealed against O_TRUNC
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(content, 0); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"write"}, {"read"}, {"recv"}, {"send", "/proc/self/exe"}} {
			refused(t, runProcess(t, strings.NewReader("x\n"), nil, append(args, s.addr)...), exitFailed, "not a stream", s.addr)
		}
		if got, err := os.ReadFile(s.path); err != nil || !bytes.Equal(got, content) {
			t.Errorf("it was changed: %v", err)
		}
	})
	before, err := os.ReadFile("/etc/hostname")
	if err != nil {
		t.Skipf("no /etc/hostname: %v", err)
	}
	refused(t, runProcess(t, strings.NewReader("x\n"), nil, "write", "file:/etc/hostname"), exitFailed, "file:/etc/hostname")
	if after, err := os.ReadFile("/etc/hostname"); err != nil || !bytes.Equal(before, after) {
		t.Errorf("/etc/hostname became %q, %v", after, err)
	}
}

func TestAStreamOfOtherContentIsRefused(t *testing.T) {
	onTopicsToo(t, func(t *testing.T, s site) {
		r := start(t, nil, "read", s.addr)
		s.await(t, 0, 1)
		refused(t, runProcess(t, nil, nil, "recv", s.addr), exitFailed, "carries something else")
		start(t, strings.NewReader("x\n"), "write", s.addr).succeeds()
		r.succeeds()
		s.isEmpty(t)
	})
}

func TestAFullFileSystemIsOneLineAndLeavesNothing(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	dir := t.TempDir()
	testenv.MountTmpfs(t, dir, 64<<10)
	testenv.MountTmpfs(t, "/dev/shm", 64<<10)
	disk := "file:" + filepath.Join(dir, "x")
	for _, line := range []string{
		"create posix:x --size 65K", "create posix:x --size 1G", "create " + disk + " --size 65K", "create " + disk + " --size 4E",
		"write posix:x", "read posix:x --size 128K", "recv " + disk, "send /proc/self/exe " + disk, "write " + disk + " --size 1G",
		"write x", "read topic:x --size 1G", "recv x", "send /proc/self/exe x",
	} {
		refused(t, runProcess(t, strings.NewReader("x\n"), nil, strings.Fields(line)...), exitFailed, "no space left on device")
		for _, d := range []string{dir, "/dev/shm"} {
			if left := folder(t, d); len(left) > 0 {
				t.Errorf("%s: left %v", line, left)
			}
		}
	}
	// What fits can be used to its last byte, and grows no further than there is room.
	for _, addr := range []string{"posix:x", disk} {
		if r := runKinds(t, "create", addr, "--size", "48K"); r.code != exitDone {
			t.Fatal(r.err)
		}
		refused(t, runKinds(t, "set", addr, "--size", "65K"), exitFailed, "no space left on device")
		if r := runApp(t, &app{kinds: allKinds(), in: bytes.NewReader(pattern(48 << 10))}, "put", addr); r.code != exitDone {
			t.Error(r.err)
		}
		if r := runKinds(t, "get", addr); r.code != exitDone || r.out != string(pattern(48<<10)) {
			t.Errorf("%d bytes: %s", len(r.out), r.err)
		}
		if r := runKinds(t, "rm", addr); r.code != exitDone {
			t.Error(r.err)
		}
	}
	// A sparse one is an error when it is filled, and not the end.
	if r := runKinds(t, "create", "posix:x", "--size", "1M", "--sparse"); r.code != exitDone {
		t.Fatal(r.err)
	}
	refused(t, runApp(t, &app{kinds: allKinds(), in: bytes.NewReader(pattern(1 << 20))}, "put", "posix:x"), exitFailed, "posix:/x")
	refused(t, runKinds(t, "get", "posix:x"), exitFailed, "posix:/x")
	refused(t, runKinds(t, "scan", "posix:x", "--hex", "00", "--offset", "512K"), exitFailed, "scan: read fault at offset ", " of posix:/x: the file system is full")
	refused(t, runKinds(t, "scan", "posix:x", "--offset", "2M"), exitFailed, "scan: scan posix:/x: behind the end of the file")
	locked := runProcess(t, nil, nil, "lock", "posix:x")
	refused(t, locked, exitFailed, "posix:/x", "cannot allocate memory: a page cannot be brought in: the file system is full")
	if strings.Contains(locked.err, "RLIMIT") {
		t.Error(locked.err)
	}
	if r := runKinds(t, "rm", "posix:x"); r.code != exitDone {
		t.Error(r.err)
	}
}
