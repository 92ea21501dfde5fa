package examples

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

func TestMain(m *testing.M) { testenv.Main(m, nil) }

// program builds one of the examples.
func program(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command(testenv.RequireTool(t, "go"), "build", "-o", path, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// nothingLeft fails the test if the IPC namespace, which is the test's own, holds
// anything.
func nothingLeft(t *testing.T) {
	t.Helper()
	if segs, err := sysv.Segments(); err != nil || len(segs) > 0 {
		t.Errorf("segments %v, %v", segs, err)
	}
	if sets, err := sysv.SemaphoreSets(); err != nil || len(sets) > 0 {
		t.Errorf("semaphore sets %v, %v", sets, err)
	}
}

// longestProgram is what fits a reader's screen, in lines.
const longestProgram = 79

func TestProgramsAreShort(t *testing.T) {
	files, err := filepath.Glob("*/*.go")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	lines := map[string]int{} // of all files of a program together
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines[filepath.Dir(file)] += bytes.Count(source, []byte("\n"))
	}
	for program, n := range lines {
		if n > longestProgram {
			t.Errorf("%s has %d lines, more than %d", program, n, longestProgram)
		}
	}
}

// combined is cmd.CombinedOutput for a program that must not outlive the tests.
func combined(cmd *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := testenv.RunCommand(cmd)
	return out.Bytes(), err
}

func TestParentAndChildTalk(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Failsafe)
	defer cancel()
	out, err := combined(exec.CommandContext(ctx, program(t, "parentchild")))
	if err != nil || !strings.Contains(string(out), "read: 6 times 7?") || !strings.Contains(string(out), "read: 42") {
		t.Errorf("%v\n%s", err, out)
	}
	nothingLeft(t)
}

func TestReaderPrintsWhatTheWriterIsGiven(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Failsafe)
	defer cancel()
	const lines = "one\n\ntwo\nthree\n"
	reader := exec.CommandContext(ctx, program(t, "reader"))
	writer := exec.CommandContext(ctx, program(t, "writer"))
	writer.Stdin = strings.NewReader(lines)
	var out, readerErrs, writerErrs bytes.Buffer // one each: exec fills them from goroutines
	reader.Stdout, reader.Stderr, writer.Stderr = &out, &readerErrs, &writerErrs
	if err := testenv.StartCommand(writer); err != nil {
		t.Fatal(err)
	}
	if err := testenv.RunCommand(reader); err != nil {
		t.Error(err)
	}
	if err := writer.Wait(); err != nil {
		t.Error(err)
	}
	if out.String() != lines || readerErrs.Len()+writerErrs.Len() > 0 {
		t.Errorf("printed %q; %s%s", out.String(), readerErrs.String(), writerErrs.String())
	}
	nothingLeft(t)
}

func TestTheCounterCountsAndIsTheOneInTheREADME(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("counter/main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, source, _ = bytes.Cut(source, []byte("\n")) // all but the first line, which is for go doc
	if !bytes.Contains(readme, append([]byte("```go\n"), source...)) {
		t.Error("README.md shows another program than examples/counter/main.go")
	}
	if !testenv.InPrivateIPC(t) {
		return
	}
	counter := program(t, "counter")
	for _, want := range []string{"run number 1 <nil>\n", "run number 2 <nil>\n"} {
		if out, err := combined(exec.CommandContext(t.Context(), counter)); err != nil || string(out) != want {
			t.Errorf("%q, %v", out, err)
		}
	}
	seg, err := sysv.Open(0x5eed)
	if err != nil {
		t.Fatal(err)
	}
	if err := seg.Remove(); err != nil {
		t.Error(err)
	}
}

func TestReadersSeeWholeRecords(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Failsafe)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(t, "readerswriters"))
	cmd.Env = append(os.Environ(), "SHMKIT_DIR="+t.TempDir())
	out, err := combined(cmd)
	var reads, versions, repairs int
	if _, e := fmt.Sscanf(string(out), "%d reads of %d versions, %d repairs; every reader saw a whole record", &reads, &versions, &repairs); err != nil || e != nil || reads == 0 || versions == 0 {
		t.Errorf("%v, %v\n%s", err, e, out)
	}
}

func TestTheWorkerPoolLosesNoJob(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Failsafe)
	defer cancel()
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, program(t, "workerpool"))
	cmd.Env = append(os.Environ(), "SHMKIT_DIR="+dir)
	out, err := combined(cmd)
	var jobs, killed, again int
	if _, e := fmt.Sscanf(string(out), "%d jobs, %d workers killed; none lost, %d worked on again", &jobs, &killed, &again); err != nil || e != nil || killed == 0 || again > killed {
		t.Errorf("%v, %v\n%s", err, e, out)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestTheCameraIsSeenByWhoWantsAllAndByWhoIsSlow(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Failsafe)
	defer cancel()
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, program(t, "camera"))
	cmd.Env = append(os.Environ(), "SHMKIT_DIR="+dir)
	out, err := combined(cmd)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		var name string
		var seen, missed int
		if _, err := fmt.Sscanf(line, "%s %d frames seen, %d missed", &name, &seen, &missed); err != nil || seen == 0 || seen+missed != 100 || name == "every:" && missed != 0 {
			t.Errorf("%q, %v", line, err)
		}
	}
	if n := strings.Count(string(out), "\n"); n != 2 {
		t.Errorf("%d lines\n%s", n, out)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestASelectSeesMessagesAndTheTimer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Failsafe)
	defer cancel()
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, program(t, "selecting"))
	cmd.Env = append(os.Environ(), "SHMKIT_DIR="+dir)
	out, err := combined(cmd)
	if err != nil || !strings.Contains(string(out), " readings so far\n") || !strings.HasSuffix(string(out), "300 readings, 20.45 °C on average\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
