package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/shmkit/shmkit/internal/bench"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/testenv"
)

// Every suite runs, however short, and what it shows fits a terminal.
// fewWays are enough of each suite to see what becomes of them: all of them take minutes.
var fewWays = map[string]string{
	"latency": "pipe,topic", "throughput": "pipe,topic", "sync": "Mutex,Event,pipe", "fanout": "pipe,topic", "file": "read,ReadAt",
}

func TestBenchShowsEverySuite(t *testing.T) {
	notUnderRace(t)
	for _, suite := range bench.Suites() {
		t.Run(suite, func(t *testing.T) {
			dir := t.TempDir()
			file, page := filepath.Join(dir, "r.json"), filepath.Join(dir, "r.html")
			args := []string{"bench", suite, "--duration", "1ms", "--sizes", "64", "--json", file, "--html", page}
			args = append(args, "--ways", fewWays[suite])
			r := runProcess(t, nil, nil, args...)
			if r.code != exitDone || r.err != "" {
				t.Fatalf("exit code %d: %s", r.code, r.err)
			}
			for line := range strings.Lines(r.out) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
					t.Errorf("%d columns: %s", n, line)
				}
			}
			for _, want := range []string{suite + ": ", "  WAY ", "Linux"} {
				if !strings.Contains(r.out, want) {
					t.Errorf("no %q in\n%s", want, r.out)
				}
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			res := decodeBench(t, text)
			if want := "shmkit " + strings.Join(args, " "); res.Command != want || res.When.IsZero() {
				t.Errorf("made by %q at %v", res.Command, res.When)
			}
			if len(res.Rows) == 0 {
				t.Error("no rows")
			}
			for _, row := range res.Rows {
				if row.Suite != suite || row.Impossible == "" && (row.Nanoseconds.Median <= 0 || row.Operations == 0) {
					t.Errorf("%+v", row)
				}
				if !strings.Contains(r.out, row.Name()) {
					t.Errorf("%s is in no table", row.Name())
				}
			}
			text, err = os.ReadFile(page)
			if err != nil || !strings.HasPrefix(string(text), "<!DOCTYPE html>") || !strings.HasSuffix(string(text), "</html>\n") {
				t.Errorf("%v: a page of %d bytes", err, len(text))
			}
		})
	}
}

// decodeBench decodes what --json writes, of which all has to be known.
func decodeBench(t *testing.T, text []byte) *bench.Result {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var res bench.Result
	if err := d.Decode(&res); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return &res
}

// Programs read these names: they stay.
func TestBenchJSONOnStandardOutput(t *testing.T) {
	notUnderRace(t)
	r := runProcess(t, nil, nil, "bench", "latency", "--duration", "1ms", "--sizes", "8", "--ways", "topic", "--json", "-")
	if r.code != exitDone || r.err != "" {
		t.Fatalf("exit code %d: %s", r.code, r.err)
	}
	decodeBench(t, []byte(r.out))
	var got struct {
		Machine map[string]any
		Rows    []map[string]any
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	hasKeys(t, got.Machine, "cpu cpus go kernel place shmkit")
	for _, row := range got.Rows {
		if row["way"] == "topic" && row["touched"] == true {
			hasKeys(t, row, "about bytes_per_second cpu_nanoseconds memory_bytes nanoseconds operations per_second ratio shmkit size sleeps suite system_calls times touched wait way")
			hasKeys(t, row["times"].(map[string]any), "max p50 p90 p99 p99_9")
			hasKeys(t, row["nanoseconds"].(map[string]any), "high low median")
			return
		}
	}
	t.Errorf("no such row:\n%s", r.out)
}

func hasKeys(t *testing.T, m map[string]any, want string) {
	t.Helper()
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if got := strings.Join(keys, " "); got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
}

func TestBenchRefusesWhatIsWrong(t *testing.T) {
	notUnderRace(t)
	for line, why := range map[string]string{
		"bench speed":                      `there is no suite "speed"; there are latency, throughput`,
		"bench --sizes 64,big":             "--sizes 64,big: ",
		"bench --sizes 4":                  "8 bytes to 1 GiB, not 4",
		"bench --ways pigeon":              `there is no way "pigeon"; there are pipe, unix stream`,
		"bench --duration 1us":             "1ms is the least",
		"bench --html -":                   "--html takes the name of a file",
		"bench latency --duration -1s":     "--duration",
		"bench latency --sizes 64 --ways=": "--ways",
	} {
		refused(t, run(t, strings.Fields(line)...), exitUsage, why)
	}
	// Before anything is measured.
	for _, flag := range []string{"--json", "--html"} {
		refused(t, run(t, "bench", flag, "/nosuch/file"), exitFailed, "/nosuch/file")
		refused(t, run(t, "bench", flag, t.TempDir()), exitFailed, "no regular file")
	}
}

func TestBenchSaysHowFarItIs(t *testing.T) {
	notUnderRace(t)
	var line bytes.Buffer
	b := &benching{app: &app{}, progress: &progress{w: &line, columns: func() int { return 30 }}}
	b.show(bench.Progress{Done: 3, All: 12, Now: "latency topic 64"})
	if got, want := line.String(), "\r 25%  latency topic 64"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	b.show(bench.Progress{Done: 4, All: 12, Now: "too soon"})
	if strings.Contains(line.String(), "soon") {
		t.Error("it is written over and over without a pause")
	}
}

// Whenever it is asked to end, or killed, nothing stays, and no half of a file.
func TestBenchThatEndsEarlyLeavesNothing(t *testing.T) {
	notUnderRace(t)
	rounds := 2
	if testing.Short() {
		rounds = 1
	}
	for range rounds {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(sig.String(), func(t *testing.T) {
				testenv.CheckLeaks(t)
				queues := posixQueues(t)
				file := filepath.Join(t.TempDir(), "r.json")
				b := start(t, nil, "bench", "latency", "throughput", "--duration", "50ms", "--sizes", "64",
					"--ways", "pipe,posix queue,sysv queue,segment,topic", "--json", file)
				pid := b.cmd.Process.Pid
				moment := rand.IntN(14)
				testenv.Eventually(t, fmt.Sprint("it has started ", moment, " trials"), func() bool { return len(benchFolders(t, pid)) >= min(moment, 12) })
				if moment > 12 { // or shown a table
					<-b.out.reaches(1)
				}
				b.signal(sig)
				if code := b.wait(); code != -1 {
					t.Errorf("moment %d: exit code %d", moment, code)
				}
				if sig == syscall.SIGKILL {
					testenv.Eventually(t, fmt.Sprint("moment ", moment, ": its processes have ended, and taken all with them"), func() bool {
						return len(benchFolders(t, pid)) == 0 && len(benchSides(t, pid)) == 0
					})
				} else {
					if left := append(benchFolders(t, pid), benchSides(t, pid)...); len(left) > 0 {
						t.Errorf("moment %d: left: %v", moment, left)
					}
					want := "shmkit bench: " + sig.String() + "\n"
					if b.out.String() != "" {
						want = "interrupted; the tables above are complete\n" + want
					}
					// At first it does not yet listen to signals.
					if got := b.errs.String(); got != want && (moment > 0 || got != "") {
						t.Errorf("moment %d: it says %q, want %q", moment, got, want)
					}
				}
				if got := posixQueues(t); !slices.Equal(got, queues) {
					t.Errorf("moment %d: queues before: %q, after: %q", moment, queues, got)
				}
				if _, err := os.Lstat(file); err == nil {
					t.Errorf("moment %d: a file of what was not finished", moment)
				}
			})
		}
	}
}

// benchFolders are the folders of a bench.
func benchFolders(t *testing.T, pid int) []string {
	t.Helper()
	names, err := filepath.Glob(fmt.Sprintf("/dev/shm/shmkit-bench-%d-*", pid))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// benchSides are the processes of a bench that still run.
func benchSides(t *testing.T, pid int) (all []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && bytes.Contains(text, fmt.Appendf(nil, "shmkit-bench-%d-", pid)) {
			all = append(all, file)
		}
	}
	return all
}

// posixQueues are the names of queues, where they can be seen.
func posixQueues(t *testing.T) (names []string) {
	t.Helper()
	entries, _ := os.ReadDir("/dev/mqueue")
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// notUnderRace: what is measured is not what the race detector makes of it, and takes minutes.
func notUnderRace(t *testing.T) {
	t.Helper()
	if race.Enabled {
		t.Skip("measuring under the race detector takes minutes")
	}
}
