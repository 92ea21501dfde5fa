package inspect_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/shmkit/shmkit/inspect"
)

// fixture makes a directory that looks like /proc of an archive in testdata: files, symbolic links, which are files
// whose name begins with "link:", and directories, whose name ends with a slash.
func fixture(t *testing.T, name string) string {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	ok(t, err)
	root := t.TempDir()
	for _, f := range a.Files {
		rest, link := strings.CutPrefix(f.Name, "link:")
		path := filepath.Join(root, rest)
		if strings.HasSuffix(f.Name, "/") {
			ok(t, os.MkdirAll(path, 0o700))
			continue
		}
		ok(t, os.MkdirAll(filepath.Dir(path), 0o700))
		if link {
			ok(t, os.Symlink(strings.TrimSuffix(string(f.Data), "\n"), path))
			continue
		}
		// \z in a line is the end of the file: it was cut there.
		text, _, _ := strings.Cut(string(f.Data), `\z`)
		ok(t, os.WriteFile(path, []byte(strings.ReplaceAll(text, `\e`, "\x1b")), 0o600))
	}
	return root
}

// inFixture takes a snapshot of a fixture, with nothing in other directories.
func inFixture(t *testing.T, name string) (*inspect.Snapshot, string) {
	t.Helper()
	root := fixture(t, name)
	return take(t, &inspect.Options{Proc: root, Shm: t.TempDir(), Dir: t.TempDir()}), root
}

// everything returns the objects of a snapshot by address, and the errors of sources.
func everything(t *testing.T, s *inspect.Snapshot) (all map[string]inspect.Object, errs []error) {
	t.Helper()
	all = map[string]inspect.Object{}
	for o, err := range s.Objects() {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, what := range impossible(&o) {
			t.Errorf("%s %s: %s: %+v", o.Kind, o.Address, what, o)
		}
		if _, twice := all[o.Address]; twice {
			t.Errorf("%s is there twice", o.Address)
		}
		all[o.Address] = o
	}
	return all, errs
}

func TestAMachineThatOthersMade(t *testing.T) {
	s, root := inFixture(t, "machine")
	all, errs := everything(t, s)
	if errs != nil {
		t.Errorf("%v", errs)
	}
	want := []string{
		"sysv:id=5", "sysv:id=6", "map:30/7f0000000000", "sem:id=0", "msg:id=1", "map:10/7f0000005000", "map:10/7f0000003000",
		"map:10/7f0000008000", "map:20/7f0000009000", "map:10/7f000000b000",
	}
	var got []string
	for address := range all {
		got = append(got, address)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("objects\n%s\nexpected\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	seg := all["sysv:id=5"]
	if !slices.Equal(pidsOf(&seg), []int{10, 20}) || seg.Segment.Attachments != 4 || seg.Segment.Unseen != 1 || seg.Key != 0xdeadbeef || !seg.Segment.Locked || seg.Locked != seg.Resident {
		t.Errorf("%+v, %+v", seg, seg.Segment)
	}
	if u := seg.Users[0]; u.Mapped != 0x3000 || len(u.Ranges) != 2 || !u.Writable || u.Ranges[1].Offset != 0x2000 || u.Command != "postgres: ) x" || u.UID != 1001 {
		t.Errorf("%+v", u)
	}
	if u := seg.Users[1]; u.Writable || u.Command != "a\nb\x1b[2J" || !u.Shared {
		t.Errorf("%+v", u)
	}
	if o := all["sysv:id=6"]; o.Use != inspect.Unused || !o.Removed || o.Resident.Unknown != "" || o.Resident.Bytes != 0 {
		t.Errorf("%+v", o)
	}
	if o := all["map:30/7f0000000000"]; o.Segment.Namespace != 4026532999 || !o.Users[0].OtherNamespace || o.Kind != "sysv" {
		t.Errorf("%+v", o)
	}
	// PostgreSQL's main memory, by its lowest process.
	if o := all["map:10/7f0000003000"]; !slices.Equal(pidsOf(&o), []int{10, 20}) || o.Kind != "map" || o.Resident.Unknown == "" || o.Size != 0x2000 {
		t.Errorf("%+v", o)
	}
	if o := all["map:10/7f000000b000"]; o.Kind != "map" || o.Name != "cache pool" {
		t.Errorf("%+v", o)
	}
	if o := all["map:10/7f0000005000"]; o.Kind != "memfd" || o.Name != "wayland\nshm (deleted)" {
		t.Errorf("%+v", o)
	}
	// Mapped by two to read, and by one to write; gone, both of them, as far as can be seen.
	if o := all["map:10/7f0000008000"]; o.Kind != "file" || len(o.Users) != 2 {
		t.Errorf("%+v", o)
	}
	if o := all["map:20/7f0000009000"]; o.Kind != "file" || !o.Removed || o.Users[0].PID != 20 {
		t.Errorf("%+v", o)
	}
	for _, o := range all {
		if again, err := s.Object(o.Address); err != nil || again.ID != o.ID || again.Kind != o.Kind {
			t.Errorf("%s: %+v, %v", o.Address, again, err)
		}
	}
	for _, none := range []string{"sysv:id=7", "map:10/1", "map:99/7f0000003000", "map:x/1", "map:10", "map:", "memfd:10/3", "nonsense:1", "sem:0x1", "msg:id=9", "lock:none", "posix:/none", "file:" + root} {
		if o, err := s.Object(none); err == nil {
			t.Errorf("%s is %+v", none, o)
		}
	}
	p, err := inspect.MappingsOf(10, &inspect.Options{Proc: root})
	ok(t, err)
	if p.MinorFaults != 77 || p.MajorFaults != 99 || p.Unknown == "" || len(p.Mappings) != 11 || p.Locked.Bytes != 64<<10 {
		t.Errorf("%d mappings: %+v", len(p.Mappings), p)
	}
	p, err = inspect.MappingsOf(20, &inspect.Options{Proc: root})
	ok(t, err)
	if m := p.Mappings[0]; p.Unknown != "" || m.Resident != 8<<10 || m.Proportional != 4<<10 || m.SharedDirty != 8<<10 || m.Object != "sysv:id=5" || !slices.Contains(m.Flags, "lo") || m.PageSize != 4<<10 {
		t.Errorf("%+v, %q", m, p.Unknown)
	}
	if o, err := s.Object("sysv:id=5"); err != nil || o.Users[1].Resident.Bytes != 8<<10 || o.Users[0].Resident.Unknown == "" {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := inspect.MappingsOf(11, &inspect.Options{Proc: root}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no process: %v", err)
	}
}

func TestAHostileMachineIsNoErrorAndNoPanic(t *testing.T) {
	s, _ := inFixture(t, "hostile")
	all, errs := everything(t, s)
	if len(errs) != 0 {
		t.Errorf("%v", errs)
	}
	for address, o := range all {
		if _, err := s.Object(address); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	// What is whole is told, whatever stands beside it.
	if o, found := all["map:7/7f0000000000"]; !found || !slices.Equal(pidsOf(&o), []int{7}) {
		t.Errorf("%+v of %v", o, all)
	}
	if o, found := all["sysv:id=3"]; !found || o.Segment.Attachments != 1<<31-1 {
		t.Errorf("%+v", o)
	}
	if len(all) != 2 {
		t.Errorf("%d objects", len(all))
	}
}

func TestWithoutProcessesThereIsAnError(t *testing.T) {
	for name, root := range map[string]string{"nothing": filepath.Join(t.TempDir(), "none"), "a file": fileOf(t, t.TempDir(), "file")} {
		if s, err := inspect.Take(ctx(), &inspect.Options{Proc: root}); err == nil {
			t.Errorf("%s: %d processes", name, len(s.Processes()))
		}
		for _, err := range inspect.Objects(&inspect.Options{Proc: root}) {
			if err == nil {
				t.Errorf("%s: an object", name)
			}
		}
	}
	// No process, and no table of System V: each of the three sources says so, and the rest is told.
	_, errs := everything(t, take(t, &inspect.Options{Proc: t.TempDir(), Shm: t.TempDir(), Dir: t.TempDir()}))
	if len(errs) != 3 || !errors.Is(errs[0], fs.ErrNotExist) || !strings.Contains(errs[0].Error(), "sysvipc/shm") {
		t.Errorf("%v", errs)
	}
}

func TestOnlyTheKindsThatAreWantedAreTold(t *testing.T) {
	root := fixture(t, "machine")
	for _, kind := range []string{"sysv", "sem", "memfd", "map", "file", "lock"} {
		s := take(t, &inspect.Options{Proc: root, Shm: t.TempDir(), Dir: t.TempDir(), Kinds: []string{kind}})
		all, _ := everything(t, s)
		for _, o := range all {
			if o.Kind != kind {
				t.Errorf("%s was wanted: %+v", kind, o)
			}
		}
		if len(all) == 0 && kind != "lock" {
			t.Errorf("no %s", kind)
		}
	}
}
