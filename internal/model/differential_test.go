package model

import (
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// envOps asks for that many random operations.
const envOps = "SHMKIT_MODEL_OPS"

// randomOps is how many random operations the test plays.
func randomOps(t *testing.T) int {
	if text := os.Getenv(envOps); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if testing.Short() {
		return 3_000
	}
	return 21_000
}

// opsPerRound: each round has two processes of its own.
const opsPerRound = 4_000

// A company is who B is.
type company struct {
	name    string
	nobody  bool
	options func(testing.TB) *testenv.StartOptions
}

// companies are the second processes that scripts are played with. Plain has the user of
// A and none of the privileges, so that the bits of the owner bind it.
var companies = []company{
	{"plain", false, func(testing.TB) *testenv.StartOptions {
		return &testenv.StartOptions{DropCaps: []testenv.Capability{testenv.CapIPCOwner, testenv.CapIPCLock, testenv.CapSysAdmin}}
	}},
	{"nobody", true, func(t testing.TB) *testenv.StartOptions {
		return &testenv.StartOptions{Credential: testenv.Nobody(t)}
	}},
}

// A differential is one run of random scripts.
type differential struct {
	played int            // operations
	checks int            // calls of rapid
	said   map[string]int // by Outcome.Rule, how often
	once   []string       // disagreements that did not come again, which are tolerated
}

func TestRandomScriptsAgreeWithTheKernel(t *testing.T) {
	requireKernel(t, sys.Release())
	total := randomOps(t)
	if !testenv.InPrivateIPC(t) {
		return
	}
	small := setLimits(t)
	d := &differential{said: map[string]int{}}
	_, disk := diskDir(t)
	for _, c := range companies {
		t.Run("after a conformance script, B is "+c.name, func(t *testing.T) { d.afterScripts(t, c, small) })
	}
	for round := 0; d.played < total && !t.Failed(); round++ {
		c := companies[0]
		if round%3 == 2 && os.Geteuid() == 0 && !inUserNamespace(t) {
			c = companies[1]
		}
		t.Run(fmt.Sprintf("round %d, B is %s", round, c.name), func(t *testing.T) {
			d.round(t, c, d.played+min(total-d.played, opsPerRound))
		})
	}
	t.Log(d.summary())
	if !t.Failed() && d.played >= 20_000 {
		d.requireAllSaid(t, small, disk)
	}
}

// summary is the last line of a run.
func (d *differential) summary() string {
	text := fmt.Sprintf("%d random operations agree, for %d reasons; ", d.played, len(d.said))
	if len(d.once) == 0 {
		return text + "no script disagreed once and not again"
	}
	return text + fmt.Sprintf("%d scripts disagreed once and not again, which is tolerated up to %d times a pair of processes:\n%s",
		len(d.once), mostDisturbed, strings.Join(d.once, "\n"))
}

// afterScripts plays each conformance script with random operations behind it. So every
// state that a script brings about is one that random operations begin at.
func (d *differential) afterScripts(t *testing.T, c company, small bool) {
	once(t)
	p := d.pair(t, c)
	defer p.end()
	for _, n := range conformanceScripts(t) {
		if n.nobody == c.nobody {
			t.Run(n.name, func(t *testing.T) {
				n.require(t, small, p.comparison.rig)
				p.check(t, func(*rapid.T) Script { return n.script })
			})
		}
	}
}

// once makes rapid draw one script where it would draw a hundred.
func once(t *testing.T) {
	checks := flag.Lookup("rapid.checks").Value
	before := checks.String()
	set := func(n string) {
		if err := checks.Set(n); err != nil {
			t.Fatal(err)
		}
	}
	if testing.Short() {
		set("5") // of which rapid then makes a fifth
	} else {
		set("1")
	}
	t.Cleanup(func() { set(before) })
}

// round plays random scripts until so many operations were played.
func (d *differential) round(t *testing.T, c company, until int) {
	p := d.pair(t, c)
	defer p.end()
	for d.played < until {
		p.check(t, func(t *rapid.T) Script { return furnish(t, c.nobody, p.comparison.rig.disk) })
	}
}

// A pair is two processes, and the model to compare them with.
type pair struct {
	t          *testing.T
	d          *differential
	nobody     bool
	comparison *comparison
	failed     Script // the script that failed last
}

func (d *differential) pair(t *testing.T, c company) *pair {
	// What rapid leaves to be shortened, shorten does better.
	for name, value := range map[string]string{"rapid.shrinktime": "2s", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	count := func(_ Op, o Outcome) { d.said[o.Rule]++ }
	once := func(one *disagreement) { d.once = append(d.once, one.String()) }
	return &pair{t: t, d: d, nobody: c.nobody, comparison: &comparison{rig: newRig(t, c.options(t)), seen: count, once: once}}
}

// reseed makes an ordinary run draw the same scripts every time, other ones for each
// check: what it finds, it finds for everybody. The long run, and one with a seed given,
// draws as rapid does.
func (d *differential) reseed(t *testing.T) (restore func()) {
	seed := flag.Lookup("rapid.seed").Value
	if os.Getenv(envOps) != "" || seed.String() != "0" {
		return func() {}
	}
	set := func(n int) {
		if err := seed.Set(strconv.Itoa(n)); err != nil {
			t.Fatal(err)
		}
	}
	d.checks++
	set(d.checks)
	return func() { set(0) }
}

// check plays scripts that begin with what begin draws.
func (p *pair) check(t *testing.T, begin func(*rapid.T) Script) {
	defer p.d.reseed(t)()
	scripts := randomScript(p.comparison.rig, p.nobody, begin)
	rapid.Check(t, func(t *rapid.T) {
		s := scripts.Draw(t, "script")
		if d := p.comparison.settled(s); d != nil {
			p.failed = s
			t.Fatal(d)
		}
		p.d.played += len(s)
	})
}

// end leaves nothing in the namespace, and keeps what failed. It runs before cleanups,
// after which the processes are gone.
func (p *pair) end() {
	if p.failed != nil {
		p.keep()
	}
	p.comparison.rig.begin()
}

// keep shortens the script that failed and puts it where
// TestKeptScriptsAgreeWithTheKernel plays it from now on.
func (p *pair) keep() {
	s, d := shorten(p.failed, p.comparison.run)
	if d == nil {
		p.t.Log("the script does not fail any more")
		return
	}
	text := describeFailure(s, d)
	if p.nobody {
		text = "# B is nobody\n" + text
	}
	sum := fnv.New32()
	_, _ = sum.Write([]byte(s.String()))
	path := filepath.Join("testdata", "kept", fmt.Sprintf("%08x.script", sum.Sum32()))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		p.t.Error(err)
	}
	p.t.Logf("kept as %s:\n%s", path, text)
}

// requireAllSaid fails for reasons that no operation came to: the generator has
// degenerated, or a rule is dead. The reasons are read out of the source.
func (d *differential) requireAllSaid(t *testing.T, small, disk bool) {
	t.Helper()
	root := os.Geteuid() == 0 && !inUserNamespace(t)
	for _, s := range sentences(t) {
		switch {
		case d.said[s.text] > 0:
		case oneOrTheOther[s.text], !small && ofSmallLimits[s.text], !root && ofRoot[s.text], !disk && ofDisk[s.text]:
		default:
			t.Errorf("%s: no script came to this: %q", s.at, s.text)
		}
	}
}

// Reasons that cannot be come to everywhere.
var (
	// A kernel does one or the other.
	oneOrTheOther = map[string]bool{
		"Anonymous memory that was never written reads as zeros, from one page that the whole machine shares.": true,
		"This kernel gives private memory a page of its own, full of zeros, when it is first read or written.": true,
	}
	ofSmallLimits = map[string]bool{
		"All segments together would have more pages than SHMALL.": true,
		"There are SHMMNI segments already.":                       true,
	}
	ofDisk = map[string]bool{
		"A new file. Its pages in memory are copies of blocks on a device.":                           true,
		"Pages differ from the device. The kernel writes them back in its own time, or now if asked.": true,
		"Only memory can be sealed, not a file of this kind.":                                         true,
		"There is nothing to take away behind the end of a file.":                                     true,
		"A file of this kind has no seals.":                                                           true,
	}
	// Only root has somebody else to be, and may lock segments.
	ofRoot = map[string]bool{
		"Only owner and creator may remove a segment, and who has CAP_SYS_ADMIN.": true,
		"Only owner and creator may change a segment, and who has CAP_SYS_ADMIN.": true,
		"Only owner and creator may lock a segment, and who has CAP_IPC_LOCK.":    true,
		"Only owner and creator may unlock a segment, and who has CAP_IPC_LOCK.":  true,
		"The pages of the segment will not be swapped out.":                       true,
		"The segment is locked already.":                                          true,
		"The pages of the segment may be swapped out.":                            true,
	}
)
