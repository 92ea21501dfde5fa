package explain

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// spoilt runs an experiment in which a process does something wrong, and returns what
// disagrees.
func spoilt(t *testing.T, e Experiment, spoil string) []string {
	t.Helper()
	defer nothingLeft(t)
	return spoiltBeside(t, e, spoil)
}

// spoiltBeside is spoilt beside other experiments, which have what they need meanwhile.
func spoiltBeside(t *testing.T, e Experiment, spoil string) []string {
	t.Helper()
	r, err := Run(t.Context(), e, &Options{spoil: spoil})
	if err != nil {
		t.Fatal(err)
	}
	all := disagreements(r)
	if r.Agree != (len(all) == 0) {
		t.Errorf("agree %v, %q", r.Agree, all)
	}
	return all
}

// A bit that changes on the way, a call that is not told of, and a byte that the kernel
// copies where it should not, are disagreements, each of its own step.
func TestFastSeesWhatGoesWrongOnEachWay(t *testing.T) {
	const memory, awake = "Through shared memory: ", "Through shared memory, and nobody sleeps: "
	for spoil, want := range map[string][]string{
		"":             nil,
		"flip pipe":    {"Through a pipe: " + factSum},
		"flip socket":  {"Through a Unix stream socket: " + factSum},
		"flip queue":   {"Through a System V message queue: " + factSum},
		"flip memory":  {memory + factSum},
		"flip awake":   {awake + factSum},
		"count pipe":   {"Through a pipe: " + factOff},
		"count socket": {"Through a Unix stream socket: " + factOff},
		"copy memory":  {memory + factCalls, memory + factCopied, memory + factKernel},
		"copy awake":   {awake + factCalls, awake + factCopied, awake + factKernel},
		"copy queue":   {"Through a System V message queue: " + factKernel},
		"count awake":  {awake + factCalls},
	} {
		t.Run(spoil, func(t *testing.T) {
			got := spoilt(t, fast(), spoil)
			slices.Sort(got)
			if !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Errorf("disagree: %q, want %q", got, want)
			}
		})
	}
}

// No two pieces of what is carried are the same: exchanged or doubled ones are noticed.
func TestPiecesAreAllDifferent(t *testing.T) {
	l, seen := newLoad(), map[string]bool{}
	for i := range loadBytes / pieceBytes {
		if seen[string(l.piece(i))] {
			t.Errorf("piece %d was there before", i)
		}
		seen[string(l.piece(i))] = true
	}
}

// The number of system calls of a ring has a bound that does not depend on who is faster.
func TestRingMakesFewSystemCalls(t *testing.T) {
	for name, slow := range map[string][2]bool{"slow sender": {true, false}, "slow receiver": {false, true}, "both quick": {}} {
		t.Run(name, func(t *testing.T) {
			r := &ring{}
			l := newLoad()
			slowly := func(really bool) {
				for n := 0; really && n < 20_000; n++ {
					_ = r.Head.Load()
				}
			}
			a, b := ringEnd{ring: r}, ringEnd{ring: r}
			sent := make(chan error)
			go func() {
				sent <- a.send(loadBytes, pieceBytes, func(to []byte, i int) {
					slowly(slow[0])
					copy(to, l.piece(i))
				})
			}()
			c := &carrier{}
			if err := b.receive(loadBytes, pieceBytes, func(from []byte) {
				slowly(slow[1])
				c.take(from)
			}); err != nil {
				t.Fatal(err)
			}
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
			if c.sum != l.checksum() {
				t.Error("other bytes came out")
			}
			if n := a.calls + b.calls; n > int64(mostRingCalls(loadBytes)) {
				t.Errorf("%d system calls, %d at most were to be expected", n, mostRingCalls(loadBytes))
			}
		})
	}
}

func TestAccountsAreAddedUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "io")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rchar: 100\nwchar: 20\nsyscr: 3\nsyscw: 4\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 0\n")
	if a, err := readAccount(path); err != nil || a != (account{7, 120}) {
		t.Errorf("%+v, %v", a, err)
	}
	write("rchar: many\n")
	if _, err := readAccount(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
}

// What the janitor made is removed also when who asked for it was killed before it got the
// answer.
func TestJanitorRemovesWhatNobodyHasHeardOf(t *testing.T) {
	for _, kind := range []string{"msg", "sem"} {
		before, err := testenv.SysVIDs()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/proc/self/exe", "explain:"+roleJanitor)
		cmd.Env = append(os.Environ(), childEnv(roleJanitor)...)
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		nobody, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout = out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		nobody.Close()
		out.Close()
		if _, err := in.Write([]byte("make " + kind + "\n")); err != nil {
			t.Fatal(err)
		}
		testenv.Eventually(t, "there is a "+kind, func() bool {
			now, err := testenv.SysVIDs()
			return err == nil && slices.ContainsFunc(now, func(id testenv.SysVID) bool { return !slices.Contains(before, id) })
		})
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		nothingLeft(t)
	}
}
