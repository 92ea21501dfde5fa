package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

// newTopicDir has this test's topics in a directory of their own. What the killed leave there is
// removed.
func newTopicDir(t testing.TB) {
	t.Helper()
	t.Setenv("SHMKIT_DIR", shmtest.Dir(t))
	t.Cleanup(func() {
		names, err := topic.Names("")
		for _, name := range names {
			if err == nil {
				err = topic.Remove(name, "")
			}
		}
		if err != nil {
			t.Error(err)
		}
	})
}

// awaitTopic waits until a topic is as it should be.
func awaitTopic(t testing.TB, name, what string, is func(topic.Overview) bool) {
	t.Helper()
	testenv.Eventually(t, what, func() bool {
		v, err := topic.Look(name, "")
		return err == nil && is(v)
	})
}

func awaitSubscribers(t testing.TB, name string, n int) {
	t.Helper()
	awaitTopic(t, name, fmt.Sprint(name, " has ", n, " subscribers"), func(v topic.Overview) bool { return v.Subscribers == n })
}

// stopped starts an echo, and stops it when it has subscribed as the n-th.
func stopped(t testing.TB, n int, args ...string) *background {
	t.Helper()
	b := start(t, nil, append([]string{"echo", "news"}, args...)...)
	awaitSubscribers(t, "news", n)
	b.signal(syscall.SIGSTOP)
	testenv.Eventually(t, "it is stopped", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.cmd.Process.Pid))
		return err == nil && strings.Contains(string(stat), ") T ")
	})
	return b
}

func published(t testing.TB, lines int, args ...string) ran {
	t.Helper()
	return runProcess(t, strings.NewReader(numbers(lines)), nil, append([]string{"pub", "news"}, args...)...)
}

// numbers are lines.
func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, i+1)
	}
	return b.String()
}

// Whoever makes the topic, and echo as the last one to leave it, leaves nothing.
func TestEchoPrintsWhatPubPublishes(t *testing.T) {
	newTopicDir(t)
	echoes := []*background{start(t, nil, "echo", "news", "--count", "1000"), start(t, nil, "echo", "topic:news", "--count", "1000")}
	awaitSubscribers(t, "news", 2)
	if r := published(t, 1000); r.code != 0 || r.out != "" || r.err != "" {
		t.Errorf("pub: %+v", r)
	}
	for _, e := range echoes {
		e.succeeds()
		if got := e.out.String(); got != numbers(1000) {
			t.Errorf("echo printed %d bytes: %.100q", len(got), got)
		}
	}
	if names, err := topic.Names(""); err != nil || len(names) > 0 {
		t.Errorf("left: %v, %v", names, err)
	}
}

func TestPubKilledAnywhereStopsNoEcho(t *testing.T) {
	newTopicDir(t)
	for range kills() / 5 {
		const lines = 2000
		inputs := []string{linesOf(0, lines), linesOf(1, lines)}
		echo := start(t, nil, "echo", "news")
		awaitSubscribers(t, "news", 1)
		victim := start(t, strings.NewReader(inputs[0]), "pub", "news")
		<-echo.out.reaches(1 + rand.IntN(len(inputs[0])/2))
		victim.signal(syscall.SIGKILL)
		victim.wait()
		start(t, strings.NewReader(inputs[1]), "pub", "news").succeeds()
		last := inputs[1][strings.LastIndex(strings.TrimSuffix(inputs[1], "\n"), "\n")+1:]
		testenv.Eventually(t, "echo has the last line", func() bool { return strings.Contains(echo.out.String(), "\n"+last) })
		echo.signal(syscall.SIGINT)
		if code := echo.wait(); code != -1 || echo.errs.String() != "" {
			t.Errorf("echo, interrupted: exit code %d: %s", code, echo.errs.String())
		}
		checkLines(t, echo.out.String(), inputs, func(i int) bool { return i == 1 })
		if t.Failed() {
			return
		}
	}
}

// An echo that holds up a pub no longer does when it is killed.
func TestAKilledEchoHoldsUpNoPub(t *testing.T) {
	newTopicDir(t)
	if r := runKinds(t, "create", "topic:news", "--depth", "4"); r.code != 0 {
		t.Fatal(r.err)
	}
	other := start(t, nil, "echo", "news", "--count", "100")
	awaitSubscribers(t, "news", 1)
	victim := stopped(t, 2)
	pub := start(t, strings.NewReader(numbers(100)), "pub", "news")
	awaitTopic(t, "news", "the publisher waits", func(v topic.Overview) bool {
		return len(v.Lanes) == 1 && v.Lanes[0].Free == 0 && v.Lanes[0].Sent == 4
	})
	<-other.out.reaches(len(numbers(4)))
	got := strings.Join(strings.Fields(runKinds(t, "stat", "topic:news").out), " ")
	for _, text := range []string{
		fmt.Sprintf("1 %d shmkit yes 4 0", pub.cmd.Process.Pid),
		fmt.Sprintf("%d shmkit yes yes 4 0", victim.cmd.Process.Pid),
		fmt.Sprintf("%d shmkit yes yes 0 0", other.cmd.Process.Pid),
		" behind 4 ", "living publishers 1 living subscribers 2 sent 4",
	} {
		if !strings.Contains(got, text) {
			t.Errorf("stat does not say %q:\n%s", text, got)
		}
	}
	victim.signal(syscall.SIGKILL)
	victim.wait()
	pub.succeeds()
	other.succeeds()
	if other.out.String() != numbers(100) {
		t.Errorf("the other echo printed %q", other.out.String())
	}
}

func TestPubGivesUpOrDropsWhatThereIsNoRoomFor(t *testing.T) {
	newTopicDir(t)
	if r := runKinds(t, "create", "topic:news", "--depth", "4"); r.code != 0 {
		t.Fatal(r.err)
	}
	slow := stopped(t, 1, "--count", "8")
	refused(t, published(t, 10, "--nowait"), exitFailed, "topic:news: would have to wait for its slowest subscriber; 4 lines were published before")
	refused(t, published(t, 10, "--timeout", "20ms"), exitFailed, "topic:news: timed out after 20ms of waiting for its slowest subscriber; 4 lines were published before")
	slow.signal(syscall.SIGCONT)
	slow.succeeds()
	slow = stopped(t, 1, "--count", "12")
	if r := published(t, 10, "--drop"); r.code != 0 || r.err != "shmkit pub: dropped 6 lines: a subscriber was behind\n" {
		t.Errorf("--drop: %+v", r)
	}
	if r := published(t, 6, "--drop", "--timeout", "1ms"); r.code != 0 || r.err != "shmkit pub: dropped 2 lines: a subscriber was behind\n" {
		t.Errorf("--drop: %+v", r)
	}
	var told publishedJSON
	if r := published(t, 10, "--drop", "--json"); r.code != 0 || r.err != "" || json.Unmarshal([]byte(r.out), &told) != nil || told != (publishedJSON{"topic:news", 4, 6, 4}) {
		t.Errorf("--json: %+v", r)
	}
	slow.signal(syscall.SIGCONT)
	slow.succeeds()
}

// Who does not keep up is told how much was missed, all of it.
func TestEchoSaysWhatItMissed(t *testing.T) {
	newTopicDir(t)
	if r := runKinds(t, "create", "topic:news", "--depth", "8"); r.code != 0 {
		t.Fatal(r.err)
	}
	slow := stopped(t, 1, "--best-effort")
	if r := published(t, 100, "--nowait"); r.code != 0 {
		t.Errorf("pub: %+v", r)
	}
	slow.signal(syscall.SIGCONT)
	testenv.Eventually(t, "echo has the last line", func() bool { return strings.HasSuffix(slow.out.String(), "\n100\n") })
	slow.signal(syscall.SIGINT)
	slow.wait()
	got := strings.Count(slow.out.String(), "\n")
	missed := 0
	for line := range strings.Lines(slow.errs.String()) {
		var n int
		if _, err := fmt.Sscanf(line, "shmkit echo: missed %d message", &n); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		missed += n
	}
	if missed == 0 || got+missed != 100 {
		t.Errorf("%d lines and %q", got, slow.errs.String())
	}
}

// sample is a message of a program.
type sample struct{ A, B uint32 }

func TestEchoShowsMessagesOfAnyType(t *testing.T) {
	newTopicDir(t)
	s, err := topic.Create[sample]("news", &topic.Options{History: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p, err := s.Publisher()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.TrySend(&sample{1, 0x41414141}); err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct{ args, out string }{
		{"", "0100000041414141\n"},
		{"--framed", "\x08\x00\x00\x00\x01\x00\x00\x00AAAA"},
		{"--json", `{"sequence":1,"publisher":1,"missed":0,"time_ns":null,"bytes":8,"text":null,"base64":"AQAAAEFBQUE="}` + "\n"},
	} {
		r := runProcess(t, nil, nil, append([]string{"echo", "news", "--count", "1"}, strings.Fields(w.args)...)...)
		if r.code != 0 || r.out != w.out || r.err != "" {
			t.Errorf("echo %s: %+v", w.args, r)
		}
	}
	refused(t, published(t, 1), exitFailed, `it holds a "main.sample"`, "the command publishes bytes")
	refused(t, runKinds(t, "create", "topic:news"), exitFailed, "topic:news exists, and its messages are not bytes but main.sample")
	if r := runProcess(t, nil, closedPipe(t), "echo", "news"); r.code != exitFailed || r.err != "shmkit echo: standard output was closed\n" {
		t.Errorf("a closed pipe: %+v", r)
	}
}

func TestHzMeasuresATopic(t *testing.T) {
	newTopicDir(t)
	b, err := topic.CreateBytes("news", &topic.Options{Timestamps: true, Depth: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	p, err := b.Publisher()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	programs := []*background{start(t, nil, "hz", "news", "--json", "--window", "50ms"), start(t, nil, "hz", "news", "--window", "50ms")}
	awaitSubscribers(t, "news", 2)
	both := func(is func(*background) bool) bool { return is(programs[0]) && is(programs[1]) }
	// Also while it is flooded it prints, and it holds nobody up.
	testenv.Eventually(t, "there are three lines of each", func() bool {
		for n := range 1000 {
			if err := p.TrySend(make([]byte, 10+n%3)); err != nil {
				t.Error(err)
			}
		}
		return both(func(b *background) bool { return strings.Count(b.out.String(), "\n") >= 4 })
	})
	for _, b := range programs {
		b.signal(syscall.SIGINT)
		if code := b.wait(); code != -1 || b.errs.String() != "" {
			t.Errorf("interrupted: exit code %d: %s", code, b.errs.String())
		}
	}
	var all, missed uint64
	for line := range strings.Lines(programs[0].out.String()) {
		var j hzJSON
		if err := json.Unmarshal([]byte(line), &j); err != nil {
			t.Fatal(err)
		}
		all, missed = all+j.Messages, missed+j.Missed
		if j.Messages == 0 {
			continue
		}
		l := j.Latency
		if j.Bytes.Min < 10 || j.Bytes.Max > 12 || j.Bytes.Mean < 10 || j.Bytes.Mean > 12 || l.P50 < 1 || l.P99 < l.P50 || l.Max < l.P999 ||
			float64(j.Messages+j.Missed)/j.Seconds != j.Rate || j.Seconds < 0.05 {
			t.Errorf("%s", line)
		}
	}
	s, err := b.Stat()
	if err != nil || all == 0 || all+missed > s.Lanes[0].Sent {
		t.Errorf("%d received, %d missed of %d, %v", all, missed, s.Lanes[0].Sent, err)
	}
	if got := programs[1].out.String(); !strings.HasPrefix(strings.TrimSpace(got), "RATE  BYTES/s") || !strings.Contains(got, "µs") {
		t.Errorf("%s", got)
	}
}

// What waits ends by the signal that it gets.
func TestTopicCommandsEndWhenTheyAreInterrupted(t *testing.T) {
	newTopicDir(t)
	r, w, err := os.Pipe() // input that does not end
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	programs := []*background{start(t, nil, "echo", "news"), start(t, r, "pub", "news"), start(t, nil, "hz", "none"), start(t, nil, "echo", "none", "--existing")}
	awaitTopic(t, "news", "they have joined", func(v topic.Overview) bool { return v.Subscribers == 1 && v.Publishers == 1 })
	refused(t, runKinds(t, "rm", "topic:news"), exitFailed, "topic:news", "living members")
	for _, b := range programs {
		b.signal(syscall.SIGTERM)
		if code := b.wait(); code != -1 {
			t.Errorf("%v: exit code %d, %s", b.cmd, code, b.errs.String())
		}
	}
	if names, err := topic.Names(""); err != nil || len(names) > 0 {
		t.Errorf("left: %v, %v", names, err)
	}
}

// --publish-mode says who may subscribe and who may publish, and of what may not be read the rest is told.
func TestOthersDoWithATopicWhatItsModesAllow(t *testing.T) {
	newTopicDir(t)
	if err := os.Chmod(os.Getenv("SHMKIT_DIR"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"create topic:news --mode 0666 --publish-mode 0644 --history 1", "create topic:secret --mode 0644 --publish-mode 0600"} {
		if r := runKinds(t, strings.Fields(line)...); r.code != 0 {
			t.Fatal(r.err)
		}
	}
	if r := published(t, 1); r.code != 0 {
		t.Error(r.err)
	}
	if r := asNobody(t, "echo", "news", "--count", "1"); r.code != 0 || r.out != "1\n" {
		t.Errorf("echo: %+v", r)
	}
	refused(t, asNobody(t, "pub", "news"), exitFailed, "permission denied: only who may write ", " may publish")
	refused(t, asNobody(t, "echo", "secret"), exitFailed, "permission denied")
	r := asNobody(t, "stat", "topic:secret")
	for _, text := range []string{"  living subscribers  0\n", "  depth               256\n", "  living publishers   unknown: ", "only who may read ", "; nor is known: sent, behind and publishers\n"} {
		if r.code != 0 || !strings.Contains(r.out, text) {
			t.Errorf("stat does not say %q: %+v", text, r)
		}
	}
	if r := asNobody(t, "stat", "--json", "topic:secret"); r.code != 0 || !strings.Contains(r.out, `"publishers": null`) {
		t.Errorf("stat --json: %+v", r)
	}
}

// --rate is a bound: so many messages take so long at least.
func TestPubKeepsToItsRate(t *testing.T) {
	newTopicDir(t)
	begin := time.Now()
	if r := published(t, 11, "--rate", "100"); r.code != 0 {
		t.Errorf("%+v", r)
	}
	if took := time.Since(begin); took < 100*time.Millisecond {
		t.Errorf("11 messages at 100 a second took %v", took)
	}
}
