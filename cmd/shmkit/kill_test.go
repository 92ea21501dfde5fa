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

// kills is how many participants are killed in each of the two tests below.
func kills() int {
	if testing.Short() {
		return 10
	}
	return 100
}

// A test run that is interrupted leaves no command running, and those leave nothing.
func TestCommandsEndWithTheTestsThatStartedThem(t *testing.T) {
	addr, _, _ := newAddresses(t)
	p := testenv.Start(t, "starts", "read", addr)
	pid, err := p.ReadLine()
	if err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the command has joined", func() bool { return run(t, "stat", addr).code == 0 })
	p.Kill()
	testenv.Eventually(t, "the command has left", func() bool { return run(t, "stat", addr).code != 0 })
	testenv.Eventually(t, "the command has ended", func() bool {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		return err != nil || bytes.Contains(stat, []byte(") Z "))
	})
}

// linesOf is what a writer is given: lines that say whose they are.
func linesOf(writer, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d %d %s\n", writer, i, strings.Repeat("x", (i*7+writer)%200))
	}
	return b.String()
}

// gated is input that comes once its gate is closed.
type gated struct {
	gate <-chan struct{}
	r    io.Reader
}

func (g *gated) Read(p []byte) (int, error) {
	<-g.gate
	return g.r.Read(p)
}

func TestWritersAndReadersSurviveKills(t *testing.T) {
	const lines = 2000
	inputs := []string{linesOf(0, lines), linesOf(1, lines)}
	total := len(inputs[0]) + len(inputs[1])
	for killed := 0; killed < kills(); {
		key := testenv.KeyLeakChecked(t)
		addr := at("sysv", key)
		readers := []*background{start(t, nil, "read", addr, "--size", "16K"), start(t, nil, "read", addr)}
		awaitMembers(t, key, 0, 2)
		gate := make(chan struct{}) // a reader ends with the last writer it has seen: both must be there
		writers := []*background{
			start(t, &gated{gate, strings.NewReader(inputs[0])}, "write", addr),
			start(t, &gated{gate, strings.NewReader(inputs[1])}, "write", addr),
		}
		awaitMembers(t, key, 2, 2)
		close(gate)
		// readers[0] lives, so that somebody can tell.
		everybody := []*background{writers[0], writers[1], readers[1]}
		dead := map[*background]bool{}
		for _, i := range rand.Perm(len(everybody))[:1+rand.IntN(len(everybody))] {
			victim := everybody[i]
			select {
			case <-readers[0].out.reaches(rand.IntN(total)):
			case <-readers[0].done:
			}
			victim.signal(syscall.SIGKILL)
			dead[victim] = true
			killed++
		}
		for i, w := range writers {
			if code := w.wait(); code != 0 && !dead[w] {
				t.Errorf("writer %d: exit code %d: %s", i, code, w.errs.String())
			}
		}
		readers[0].succeeds()
		whole := readers[0].out.String()
		checkLines(t, whole, inputs, func(i int) bool { return !dead[writers[i]] })
		if dead[readers[1]] {
			readers[1].wait()
			if !strings.HasPrefix(whole, readers[1].out.String()) {
				t.Error("the killed reader printed something else than the other")
			}
		} else {
			readers[1].succeeds()
			if readers[1].out.String() != whole {
				t.Error("two readers that were there from the start printed different things")
			}
		}
		swept(t, key, "read")
		if t.Failed() {
			return
		}
	}
}

// checkLines checks that got holds the lines of each input in order, all of them
// for those that are whole, else a prefix, and nothing else.
func checkLines(t *testing.T, got string, inputs []string, whole func(int) bool) {
	t.Helper()
	rest := append([]string(nil), inputs...)
	for line := range strings.Lines(got) {
		var i int
		if _, err := fmt.Sscan(line, &i); err != nil || i >= len(rest) || !strings.HasPrefix(rest[i], line) {
			t.Errorf("torn, doubled or out of order: %q", line)
			return
		}
		rest[i] = rest[i][len(line):]
	}
	for i := range rest {
		if whole(i) && rest[i] != "" {
			t.Errorf("writer %d: %d bytes did not arrive", i, len(rest[i]))
		}
	}
}

// swept checks that nothing is left under a key, if need be after one more
// command: the last member may have been one that was killed.
func swept(t *testing.T, key int32, verb string) {
	t.Helper()
	if !exists(key) {
		return
	}
	if verb == "read" {
		r := runProcess(t, strings.NewReader(""), nil, "write", at("sysv", key), "--readers", "0")
		if r.code != 0 {
			t.Errorf("the next command failed: %+v", r)
		}
	} else {
		b := start(t, nil, "recv", at("sysv", key), os.DevNull)
		awaitMembers(t, key, 0, 1)
		b.signal(syscall.SIGTERM)
		b.wait()
	}
	if exists(key) {
		t.Error("something is left after the next command on the address")
	}
}

func TestSendersAndReceiversSurviveKills(t *testing.T) {
	sendersAndReceivers(t, func() transferPlace {
		key := testenv.KeyLeakChecked(t)
		return transferPlace{at("sysv", key), func(writers, readers int) { awaitMembers(t, key, writers, readers) }, func() { swept(t, key, "recv") }}
	})
}

func TestSendersAndReceiversOverATopicSurviveKills(t *testing.T) {
	sendersAndReceivers(t, func() transferPlace {
		s := aTopic(t)
		return transferPlace{s.addr, func(writers, readers int) { s.await(t, writers, readers) }, func() { s.sweep(t) }}
	})
}

// transferPlace is where a file goes through, and is swept afterwards.
type transferPlace struct {
	addr  string
	await func(writers, readers int)
	swept func()
}

func sendersAndReceivers(t *testing.T, place func() transferPlace) {
	t.Helper()
	dir := t.TempDir()
	content := make([]byte, 3<<20+12345)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content)
	source := filepath.Join(dir, "source")
	if err := os.WriteFile(source, content, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	for killed, round := 0, 0; killed < kills(); round++ {
		at := place()
		addr := at.addr
		files := []string{filepath.Join(dir, fmt.Sprint(round, "a")), filepath.Join(dir, fmt.Sprint(round, "b"))}
		receivers := []*background{start(t, nil, "recv", addr, files[0], "--size", "600K"), start(t, nil, "recv", addr, files[1])}
		watcher := start(t, nil, "recv", addr) // to standard output: tells how far it is
		at.await(0, 3)
		sender := start(t, nil, "send", source, addr)
		everybody := []*background{receivers[0], receivers[1], sender}
		dead := map[*background]bool{}
		for _, i := range rand.Perm(len(everybody))[:1+rand.IntN(len(everybody))] {
			select {
			case <-watcher.out.reaches(rand.IntN(len(content))):
			case <-watcher.done:
			}
			everybody[i].signal(syscall.SIGKILL)
			dead[everybody[i]] = true
			killed++
		}
		if code := sender.wait(); code != 0 && !dead[sender] {
			t.Errorf("sender: exit code %d: %s", code, sender.errs.String())
		}
		for i, r := range receivers {
			code := r.wait()
			got, err := os.ReadFile(files[i])
			switch {
			case code == 0 && (err != nil || sha256.Sum256(got) != sum):
				t.Errorf("receiver %d says done: %v, %d bytes", i, err, len(got))
			case code > 0 && !dead[sender]:
				t.Errorf("receiver %d: exit code %d: %s", i, code, r.errs.String())
			case code > 0 && !os.IsNotExist(err):
				t.Errorf("receiver %d failed and left %d bytes: %v", i, len(got), err)
			case code < 0 && err == nil && !bytes.Equal(got, content):
				t.Errorf("receiver %d was killed and left part of a file", i)
			}
		}
		if code := watcher.wait(); code == 0 && watcher.out.String() != string(content) || code != 0 && !dead[sender] {
			t.Errorf("watcher: exit code %d, %d bytes: %s", code, len(watcher.out.String()), watcher.errs.String())
		}
		if names, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(names) > 0 {
			t.Errorf("left in the directory: %v, %v", names, err)
		}
		at.swept()
		if t.Failed() {
			return
		}
	}
}
