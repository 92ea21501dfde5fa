package explain

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/live"
	"github.com/shmkit/shmkit/internal/model"
	"github.com/shmkit/shmkit/internal/testenv"
)

// agreesIn runs an experiment whose files are in a folder.
func agreesIn(t *testing.T, e Experiment, dir string) *Report {
	t.Helper()
	r, err := Run(t.Context(), e, &Options{places: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Agree {
		t.Error(describe(r))
	}
	if left, err := os.ReadDir(dir); err == nil {
		for _, entry := range left {
			if strings.HasPrefix(entry.Name(), fmt.Sprintf("shmkit-%d-", os.Getpid())) {
				t.Errorf("left: %s", entry.Name())
			}
		}
	}
	nothingLeft(t)
	return r
}

// shown is what was shown in a step that begins so, of a fact; also why it was not seen.
func shown(t *testing.T, r *Report, title, fact string) string {
	t.Helper()
	for _, s := range r.Steps {
		for _, f := range s.Facts {
			if strings.HasPrefix(s.Title, title) && f.What == fact {
				return f.Shown + f.Unseen
			}
		}
	}
	t.Errorf("%s: nothing is shown of %q", title, fact)
	return ""
}

// Without a disk the experiment says so, and shows what is true of files in memory.
func TestAFileInMemoryIsNeverWrittenBack(t *testing.T) {
	r := agreesIn(t, file(), "/dev/shm")
	if got := shown(t, r, "A makes a file in memory", "file system"); !strings.HasPrefix(got, "tmpfs on ") {
		t.Skipf("/dev/shm is %s here", got)
	}
	if got := shown(t, r, "A asks for the device", factMappingDirty("A")); got != "4" {
		t.Errorf("after msync %s kB are dirty", got)
	}
	if got := shown(t, r, "What a loss of power", "a device behind the file"); got != "no" {
		t.Errorf("a device: %s", got)
	}
}

// On an overlay the pages of a file are in the page cache of another one: what cachestat
// says of it is not shown.
func TestAFileOnAnOverlay(t *testing.T) {
	testenv.RequireRoot(t)
	if !testenv.InPrivateMount(t) {
		return
	}
	base := t.TempDir()
	if fs, err := fileSystemAt(base); err != nil || !fs.counts {
		t.Skipf("%s is on %v, %v: no place for what is below an overlay", base, fs, err)
	}
	var dirs []any
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		dir := filepath.Join(base, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	merged := filepath.Join(base, "merged")
	if err := syscall.Mount("overlay", merged, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", dirs[:3]...)); err != nil {
		t.Skipf("mount an overlay: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(merged, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	agreesIn(t, backing(), merged)
	r := agreesIn(t, file(), merged)
	if got := shown(t, r, "A asks for the device", factCache); !strings.Contains(got, "another file") {
		t.Errorf("page cache: %s", got)
	}
	if got := shown(t, r, "A asks for the device", factMappingDirty("A")); got != "0" {
		t.Errorf("after msync %s kB are dirty", got)
	}
}

// A disk is looked for, and one whose page cache can be counted is best.
func TestTheBestPlaceForFilesIsChosen(t *testing.T) {
	all := []fileSystem{{kind: "tmpfs"}, {kind: "overlay", disk: true}, {kind: "ext4", disk: true, counts: true}}
	slices.SortStableFunc(all, func(a, b fileSystem) int { return b.rank() - a.rank() })
	if all[0].kind != "ext4" || all[1].kind != "overlay" {
		t.Error(all)
	}
	_, err := Run(t.Context(), file(), &Options{places: []string{"/proc", "/nowhere"}})
	if err == nil || !strings.Contains(err.Error(), "no place for files") {
		t.Error(err)
	}
}

// lyingIn runs an experiment with processes that lie, and returns what disagrees.
func lyingIn(t *testing.T, e Experiment, lie func(p live.Process, question string) (string, error)) []string {
	t.Helper()
	r, err := Run(t.Context(), e, &Options{cast: func(p live.Process) live.Process { return substitute{p, lie} }})
	if err != nil {
		t.Fatal(err)
	}
	nothingLeft(t)
	if got := disagreements(r); len(got) == 0 != r.Agree {
		t.Errorf("agree %v, %q", r.Agree, got)
	}
	return disagreements(r)
}

// A substitute does something else than it was asked for.
type substitute struct {
	live.Process
	ask func(p live.Process, question string) (string, error)
}

func (a substitute) Ask(line string) (string, error) { return a.ask(a.Process, line) }

// instead returns a process that does another operation than one that it is asked for.
func instead(of, other string) func(live.Process, string) (string, error) {
	return func(p live.Process, question string) (string, error) {
		if strings.HasSuffix(question, "\t"+of) {
			question = strings.TrimSuffix(question, of) + other
		}
		return p.Ask(question)
	}
}

// A kernel that does not write back, or that loses what a dead process has stored, does
// not agree.
func TestAFileThatIsNotWrittenBackIsADisagreement(t *testing.T) {
	e := file()
	if fs, err := fileSystemAt(tempDir(&Options{})); err != nil || !fs.counts {
		t.Skipf("%v: %v", fs, err)
	}
	got := lyingIn(t, e, instead("A msync len=1p flags=sync", "A msync len=1p flags=async"))
	if len(got) == 0 || got[0] != "A asks for the device to have it: msync: "+factMappingDirty("A") {
		t.Errorf("without MS_SYNC: %q", got)
	}
	got = lyingIn(t, e, instead("A store val=9", "A store val=7"))
	if !slices.Contains(got, "B reads the file: bytes") {
		t.Errorf("lost: %q", got)
	}
	got = lyingIn(t, e, instead("B fsync fd=d0", "B size fd=d0"))
	if !slices.Contains(got, "B brings the file to the device: "+factCache) {
		t.Errorf("no fsync: %q", got)
	}
}

// So does a model that is wrong about the page cache.
func TestAWrongPredictionOfThePageCacheIsADisagreement(t *testing.T) {
	r, err := Run(t.Context(), file(), &Options{foretell: func(op model.Op, out *model.Outcome) {
		if op.Call == "read" {
			out.Value = "1: zeros"
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := disagreements(r); r.Agree || len(got) != 2 {
		t.Errorf("agree %v, %q", r.Agree, got)
	}
}
