package explain

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
	if got := shown(t, r, "B, another user, asks for the key", "result"); got != "EACCES" {
		t.Skipf("this root may not be another user: %s", got)
	}
	for title, want := range map[string]string{
		"B attaches it": "EACCES", "B removes it": "EPERM", "B attaches it read-only": "0x2000004000", "B stores": "SIGSEGV",
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

// The name of a POSIX object is gone, wherever the experiment ends.
func TestNoNameIsLeft(t *testing.T) {
	names := func(pid int) []string {
		all, err := filepath.Glob("/dev/shm/shmkit-explain-" + strconv.Itoa(pid) + "-*")
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	there := false
	p := testenv.Start(t, "hang", "permissions")
	for !there {
		if _, err := p.ReadLine(); err != nil {
			t.Fatal(err, p.Stderr())
		}
		there = len(names(p.Pid())) > 0
		if !there {
			p.Send("go on")
		}
	}
	p.Kill()
	testenv.Eventually(t, "the name is gone", func() bool { return len(names(p.Pid())) == 0 })
	if _, err := Run(t.Context(), permissions(), nil); err != nil {
		t.Error(err)
	}
	if left := names(os.Getpid()); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}
