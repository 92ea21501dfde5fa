package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/shmkit/shmkit/doctor"
	"github.com/shmkit/shmkit/internal/testenv"
)

// ownMachine gives the test System V objects, and a /dev/shm, of its own.
func ownMachine(t *testing.T) bool {
	t.Helper()
	if !testenv.InPrivateMount(t) || !testenv.InPrivateIPC(t) {
		return false
	}
	testenv.MountTmpfs(t, "/dev/shm", 8<<20)
	return true
}

// left makes POSIX objects that nobody has open.
func left(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join("/dev/shm", name), make([]byte, 4096), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// warned are the objects of findings that are no notices.
func warned(t testing.TB, out string) (objects []string, j doctorJSON) {
	t.Helper()
	if err := json.Unmarshal([]byte(out), &j); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, f := range j.Findings {
		if f.Severity != "notice" && f.Kind != doctor.Limit { // limits of the machine the test runs on
			objects = append(objects, f.Object)
		}
	}
	return objects, j
}

func TestDoctorFindsAndMends(t *testing.T) {
	if !ownMachine(t) {
		return
	}
	left(t, "a", "b")
	used, err := os.Open("/dev/shm/b")
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	if err := os.Symlink("/etc/passwd", "/dev/shm/l"); err != nil {
		t.Fatal(err)
	}
	if r := run(t, "doctor"); strings.Contains(r.out, "posix:/a") {
		t.Errorf("it was just made: %s", r.out)
	}

	r := run(t, "doctor", "--age", "0")
	if r.code != exitFailed || r.err != "" {
		t.Errorf("%+v", r)
	}
	for _, want := range []string{"WARNINGS\n", "  posix:/a\n    POSIX object of 4 KiB is used by nobody.\n", "Mend by:  shmkit rm posix:/a\n", "Known by: ", "posix:/l"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("it does not say %q:\n%s", want, r.out)
		}
	}
	if strings.Contains(r.out, "posix:/b") {
		t.Error("it tells of what is open")
	}
	for line := range strings.Lines(r.out) {
		if n := utf8.RuneCountInString(line); n > 81 && !strings.Contains(line, "Mend by:") {
			t.Errorf("%d characters: %s", n, line)
		}
	}

	r = run(t, "doctor", "--age", "0", "--json")
	objects, j := warned(t, r.out)
	if r.code != exitFailed || j.Healthy || j.Fixed != 0 || !slices.Equal(objects, []string{"posix:/a", "posix:/l"}) {
		t.Errorf("%d, %v, %s", r.code, objects, r.out)
	}

	r = run(t, "doctor", "--fix", "--yes", "--age", "0")
	if r.code != exitFailed || !strings.Contains(r.out, "To be done:\n  posix:/a: remove it\nmended posix:/a\n") { // the link stays
		t.Errorf("%+v", r)
	}
	if names := namesInShm(t); names != "b l" {
		t.Errorf("there are %s", names)
	}
	if err := os.Remove("/dev/shm/l"); err != nil {
		t.Fatal(err)
	}
	left(t, "c")
	r = run(t, "doctor", "--fix", "--yes", "--age", "0", "--json")
	objects, j = warned(t, r.out)
	if !slices.Equal(objects, []string{"posix:/c"}) || j.Fixed != 1 || !j.Findings[slices.IndexFunc(j.Findings, func(f findingJSON) bool { return f.Object == "posix:/c" })].Fixed {
		t.Errorf("%d, %v, %s", r.code, objects, r.out)
	}
	if j.Healthy != (r.code == exitDone) {
		t.Errorf("healthy %t, exit code %d", j.Healthy, r.code)
	}
	if names := namesInShm(t); names != "b" {
		t.Errorf("there are %s", names)
	}
}

func namesInShm(t testing.TB) string {
	t.Helper()
	entries, err := os.ReadDir("/dev/shm")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestDoctorAsks(t *testing.T) {
	if !ownMachine(t) {
		return
	}
	for answer, want := range map[string]string{"\n": "a", "no\n": "a", "y\n": ""} {
		left(t, "a")
		r := runApp(t, &app{in: strings.NewReader(answer), isTerminal: func(any) bool { return true }, getenv: func(string) string { return "dumb" }}, "doctor", "--fix", "--age", "0")
		if !strings.Contains(r.out, "posix:/a: remove it\n") || !strings.Contains(r.err, "do that? [y/N] ") {
			t.Errorf("%q: %+v", answer, r)
		}
		if got := namesInShm(t); got != want {
			t.Errorf("%q: there are %q", answer, got)
		}
		if want != "" && r.code != exitFailed {
			t.Errorf("%q: exit code %d", answer, r.code)
		}
	}
}

// Many findings of one kind are summed up.
func TestDoctorOfMany(t *testing.T) {
	if !ownMachine(t) {
		return
	}
	var names []string
	for i := range 12 {
		names = append(names, fmt.Sprintf("o%02d", i))
	}
	left(t, names...)
	r := run(t, "doctor", "--age", "0")
	if !strings.Contains(r.out, "… and 9 more of the kind unused-object; --json shows all.\n") || strings.Contains(r.out, "o05") {
		t.Errorf("%s", r.out)
	}
	r = run(t, "doctor", "--age", "0", "--fix", "--yes")
	if n := strings.Count(r.out, "mended posix:/o"); n != 12 || namesInShm(t) != "" {
		t.Errorf("%d mended, there are %s: %s", n, namesInShm(t), r.out)
	}
}

// One that cannot be mended stops none of the others.
func TestDoctorGoesOnAfterAFailure(t *testing.T) {
	if !ownMachine(t) {
		return
	}
	left(t, "a", "b", "c")
	found, err := doctor.Examine(t.Context(), &doctor.Options{Age: -1, Areas: doctor.SystemV | doctor.Shared | doctor.Files})
	if err != nil || len(found) != 3 {
		t.Fatalf("%+v, %v", found, err)
	}
	used, err := os.Open("/dev/shm/b") // in use since it was found
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	var out, errs strings.Builder
	a := &app{out: &out, err: &errs}
	cmd := newDoctorCommand(a)
	cmd.SetContext(t.Context())
	r := newDoctorReport(cmd, a, found)
	if err := r.fix(&doctoring{fix: true, yes: true}); err != nil {
		t.Fatal(err)
	}
	if namesInShm(t) != "b" || r.healthy() {
		t.Errorf("there are %s", namesInShm(t))
	}
	if want := "posix:/b: it is in use"; !strings.Contains(errs.String(), want) || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("it does not say %q: %s", want, errs.String())
	}
	j := r.json(nil)
	if j.Fixed != 2 || j.Findings[1].Error == nil || j.Findings[1].Fixed || j.Findings[0].Error != nil {
		t.Errorf("%+v", j)
	}
}
