package model

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// A named script is one of testdata, and what it needs.
type named struct {
	name        string
	script      Script
	nobody      bool // B is another user
	smallLimits bool
	mayLock     bool // A has CAP_IPC_LOCK
}

// disk reports whether the script has files on disk.
func (n named) disk() bool {
	return slices.ContainsFunc(n.script, func(s Step) bool { return s.Op.Call == "tmpfile" })
}

// conformanceScripts reads testdata/conformance: files with several scripts, each under a
// heading "== name [needs]".
func conformanceScripts(t *testing.T) []named {
	t.Helper()
	files, err := filepath.Glob("testdata/conformance/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	var all []named
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range strings.Split("\n"+string(text), "\n== ") {
			heading, body, _ := strings.Cut(part, "\n")
			if i == 0 {
				continue // what stands before the first
			}
			n := named{name: strings.TrimSuffix(filepath.Base(file), ".txt") + ": " + heading}
			n.nobody = strings.Contains(heading, "[B is nobody]")
			n.smallLimits = strings.Contains(heading, "[small limits]")
			n.mayLock = strings.Contains(heading, "[A may lock]")
			if n.script, err = ParseScript(strings.NewReader(body)); err != nil {
				t.Fatalf("%s: %v", n.name, err)
			}
			all = append(all, n)
		}
	}
	return all
}

// keptScripts reads testdata/kept: scripts that model and kernel once disagreed on.
func keptScripts(t *testing.T) []named {
	t.Helper()
	files, err := filepath.Glob("testdata/kept/*.script")
	if err != nil {
		t.Fatal(err)
	}
	var all []named
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ParseScript(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, named{name: filepath.Base(file), script: s, nobody: bytes.Contains(text, []byte("# B is nobody"))})
	}
	return all
}

func TestConformanceScriptsAgreeWithTheKernel(t *testing.T) {
	playAll(t, conformanceScripts)
}

func TestKeptScriptsAgreeWithTheKernel(t *testing.T) {
	playAll(t, keptScripts)
}

// playAll plays scripts on the model and the kernel.
func playAll(t *testing.T, read func(*testing.T) []named) {
	requireKernel(t, sys.Release())
	if !testenv.InPrivateIPC(t) {
		return
	}
	small := setLimits(t)
	all := read(t)
	for _, c := range companies {
		t.Run("B is "+c.name, func(t *testing.T) {
			r := newRig(t, c.options(t))
			defer r.begin()
			for _, n := range all {
				if n.nobody != c.nobody {
					continue
				}
				t.Run(n.name, func(t *testing.T) {
					n.require(t, small, r)
					once := func(d *disagreement) { t.Logf("only once: %v", d) }
					if d := (&comparison{rig: r, once: once}).settled(n.script); d != nil {
						t.Error(d)
					}
				})
			}
		})
	}
}

// require skips scripts that this machine cannot play.
func (n named) require(t *testing.T, small bool, r *rig) {
	t.Helper()
	if n.smallLimits && !small {
		t.Skip("needs limits that root of a user namespace may not set on this kernel")
	}
	if n.disk() && !r.disk {
		t.Skip("needs a folder on ext4, in TMPDIR or /var/tmp")
	}
	if n.mayLock && !r.users[0].LockAny {
		t.Skip("needs CAP_IPC_LOCK on the machine")
	}
}

// The scripts state what is to be expected, so the model can be checked against them
// where there is no kernel to ask.
func TestConformanceScriptsHoldForTheModel(t *testing.T) {
	for _, n := range conformanceScripts(t) {
		t.Run(n.name, func(t *testing.T) {
			w := modelWorld(n.nobody)
			for i, out := range n.script.Run(w) {
				step := n.script[i]
				if step.Want == "" {
					t.Errorf("%v: no outcome stated; the model says %v", step.Op, out)
				} else if out.String() != step.Want {
					t.Errorf("%v: %v, want %s\n%s", step.Op, out, step.Want, out.Why)
				}
			}
		})
	}
}

// modelWorld is the world of the tests, without a kernel.
func modelWorld(nobody bool) *World {
	a := User{IPCOwner: true, SysAdmin: true, IPCLock: true, LockAny: true, LockLimit: lockLimit}
	b := User{LockLimit: lockLimit}
	if nobody {
		b.UID = 65534
	}
	return NewWorld(Machine{Limits: smallLimits}, a, b)
}

func TestScriptsAreParsedAsTheyArePrinted(t *testing.T) {
	for _, n := range slices.Concat(conformanceScripts(t), keptScripts(t)) {
		text := n.script.String()
		again, err := ParseScript(strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", n.name, err)
			continue
		}
		if got := again.String(); got != text {
			t.Errorf("%s: printed as\n%s\nthen as\n%s", n.name, text, got)
		}
	}
}

func TestBadScriptsAreRefused(t *testing.T) {
	for _, line := range []string{
		"A", "C load addr=0", "A jump addr=0", "A load len=1p", "A load addr=x", "A load addr=16p", "A munmap addr=15p len=2p",
		"A mmap len=1p prot=rwz", "A mmap len=1p flags=sealing", "A mremap len=1p new=2p to=15p", "A load addr=-1", "A store val=256",
	} {
		if op, err := ParseOp(line); err == nil {
			t.Errorf("%q is parsed as %v", line, op)
		}
	}
	if _, err := ParseScript(strings.NewReader("A maps\nA jump")); err == nil || !strings.Contains(fmt.Sprint(err), "line 2") {
		t.Errorf("error %v does not say where", err)
	}
}
