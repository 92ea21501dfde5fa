package explain

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/live"
	"github.com/shmkit/shmkit/internal/model"
	"github.com/shmkit/shmkit/internal/testenv"
)

// As root there is another user, who is refused.
func TestAnotherUserIsRefused(t *testing.T) {
	testenv.RequireRoot(t)
	r, err := Run(t.Context(), permissions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if first := r.Steps[0]; strings.HasPrefix(first.Title, "What is not shown") {
		t.Skip(first.Facts[0].Unseen)
	}
	for title, want := range map[string]string{
		"B, another user, asks for the key": "EACCES",
		"B attaches it":                     "EACCES", "B removes it": "EPERM", "B attaches it read-only": "0x2000004000", "B stores": "SIGSEGV",
		"B wants to make its mapping writable": "EACCES", "B, the owner, attaches it": "EACCES",
		"C, the other user, opens": "EACCES", "C opens it for reading and writing": "EACCES",
	} {
		if got := shown(t, r, title, "result"); got != want {
			t.Errorf("%s: %s, want %s", title, got, want)
		}
	}
}

// A kernel that lets stores through, or that grants what the model refuses, does not agree.
func TestABrokenBarrierIsADisagreement(t *testing.T) {
	r, err := Run(t.Context(), permissions(), &Options{foretell: func(op model.Op, out *model.Outcome) {
		if op.Call == "mprotect" {
			*out = model.Outcome{}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := disagreements(r); r.Agree || len(got) != 2 {
		t.Errorf("agree %v, %q", r.Agree, got)
	}
	// As if B had what it should not have: it stores elsewhere, where it may.
	got := lyingIn(t, permissions(), func(p live.Process, question string) (string, error) {
		answer, err := p.Ask(question)
		if strings.HasSuffix(question, "B store addr=4p val=9") {
			answer = strings.Replace(answer, "SIGSEGV\t", "ok\t", 1)
		}
		return answer, err
	})
	if !slices.Equal(got, []string{"B stores: result"}) {
		t.Errorf("%q", got)
	}
}

// Names are gone when an experiment is over, and when who runs it is killed while there are
// some.
func TestNoNameIsLeft(t *testing.T) {
	for _, e := range []Experiment{permissions(), file(), backing()} {
		t.Run(e.Name, func(t *testing.T) {
			dir := t.TempDir()
			names := func(pid int) (all []string) {
				for _, place := range []string{"/dev/shm", dir, "/var/tmp", "."} {
					found, err := filepath.Glob(filepath.Join(place, "shmkit-"+strconv.Itoa(pid)+"-*"))
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, found...)
				}
				return all
			}
			p := testenv.StartWith(t, &testenv.StartOptions{Env: []string{"TMPDIR=" + dir}}, "hang", e.Name)
			for len(names(p.Pid())) == 0 {
				if _, err := p.ReadLine(); err != nil {
					t.Fatal(err, p.Stderr())
				}
				if len(names(p.Pid())) == 0 {
					p.Send("go on")
				}
			}
			p.Kill()
			testenv.Eventually(t, "the names are gone", func() bool { return len(names(p.Pid())) == 0 })
			if _, err := Run(t.Context(), e, nil); err != nil {
				t.Error(err)
			}
			if left := names(os.Getpid()); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// Root of a user namespace of its own is a user like others to segments of the namespace
// outside, whatever its capabilities say; to those of one of its own it is root.
func TestRootOfAUserNamespace(t *testing.T) {
	for name, flags := range map[string]uintptr{"foreign segments": syscall.CLONE_NEWUSER, "own segments": syscall.CLONE_NEWUSER | syscall.CLONE_NEWIPC} {
		t.Run(name, func(t *testing.T) {
			try := exec.Command("/bin/true")
			try.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
			if err := try.Run(); err != nil {
				t.Skipf("no user namespaces here: %v", err)
			}
			p := testenv.StartWith(t, &testenv.StartOptions{Cloneflags: flags}, "run", "permissions")
			p.Expect("agrees")
			if err := p.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}
