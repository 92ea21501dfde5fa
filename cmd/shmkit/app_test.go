package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"pgregory.net/rapid"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/testenv"
)

// commands returns all commands that people can use.
func commands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		if !sub.Hidden && !sub.IsAdditionalHelpTopicCommand() {
			all = append(all, commands(sub)...)
		}
	}
	return all
}

func newTestRoot() *cobra.Command {
	a := &app{kinds: kind.NewRegistry(), out: &bytes.Buffer{}, err: &bytes.Buffer{}}
	return newRootCommand(a)
}

func TestEveryCommandHasLongHelpAndAnExample(t *testing.T) {
	all := commands(newTestRoot())
	if len(all) < 20 {
		t.Fatalf("only %d commands", len(all))
	}
	for _, cmd := range all {
		if cmd.Short == "" || len(cmd.Long) <= len(cmd.Short) || !strings.Contains(cmd.Example, "shmkit") {
			t.Errorf("%s: short %q, long %q, example %q", cmd.CommandPath(), cmd.Short, cmd.Long, cmd.Example)
		}
		if strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: %q is no sentence", cmd.CommandPath(), cmd.Short)
		}
	}
}

// In the usage line whatever has flags says so, and of a value the help says what it
// is, not of what Go type.
func TestUsageTellsOfFlags(t *testing.T) {
	for _, cmd := range commands(newTestRoot()) {
		own := 0
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" || cmd.HasSubCommands() {
				return
			}
			own++
			switch name, _ := pflag.UnquoteUsage(f); name {
			case "int", "string", "strings", "uint", "float":
				t.Errorf("%s: --%s %s", cmd.CommandPath(), f.Name, name)
			}
		})
		if has := strings.Contains(cmd.Use, "[flags]"); has != (own > 0) {
			t.Errorf("%s: %d flags, and its usage is %q", cmd.CommandPath(), own, cmd.Use)
		}
	}
}

func TestHelpFitsATerminal(t *testing.T) {
	const width = 84 // a little more than the 80 that is aimed at
	topics := []string{"help addresses", "help classic"}
	for _, cmd := range commands(newTestRoot()) {
		topics = append(topics, strings.TrimPrefix(cmd.CommandPath(), "shmkit")+" --help")
	}
	for _, topic := range topics {
		out := runKinds(t, strings.Fields(topic)...).out
		for line := range strings.Lines(out) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%s: %d columns: %s", topic, n, line)
			}
		}
	}
}

func TestHelpSaysWhatStaysBehind(t *testing.T) {
	for _, command := range []string{"write", "read", "send", "recv"} {
		if out := mustRun(t, command, "--help"); !strings.Contains(strings.Join(strings.Fields(out), " "), "Who may not remove what another user made leaves it to the next") {
			t.Errorf("%s:\n%s", command, out)
		}
	}
}

func TestHelpAndItsCommandSayTheSame(t *testing.T) {
	if a, b := mustRun(t, "help", "sem", "op"), mustRun(t, "sem", "op", "--help"); a != b {
		t.Errorf("help sem op:\n%s\nsem op --help:\n%s", a, b)
	}
	if a, b := mustRun(t), mustRun(t, "--help"); a != b || a != mustRun(t, "help") {
		t.Error("without arguments, --help and help differ")
	}
	if out := mustRun(t, "sem"); !strings.Contains(out, "shmkit sem COMMAND\n") {
		t.Errorf("usage of a group:\n%s", out)
	}
	if out := mustRun(t); !strings.Contains(out, "shmkit help classic ") {
		t.Errorf("topics are not shown as they are reached:\n%s", out)
	}
}

func TestWrongUsage(t *testing.T) {
	for line, why := range map[string]string{
		"nosuch":                   `no command is called "nosuch"`,
		"lss":                      "did you mean ls",
		"remove":                   "did you mean recover or rm",
		"delete":                   "did you mean rm",
		"list":                     "did you mean ls",
		"posix:x":                  "posix:/x is an address, and a command comes first, such as shmkit stat posix:/x",
		"rm --all posix:x --yes":   "leave out --all",
		"receive":                  "did you mean recv",
		"send sysv:1 f":            "FILE comes before ADDRESS",
		"recv f sysv:1":            "ADDRESS comes before FILE",
		"write /f":                 "it is a path: write file:/f, or",
		"nosuch --flag":            `no command is called "nosuch"`,
		"--nosuch":                 "unknown flag",
		"sem nosuch":               "no command",
		"msg snd":                  "did you mean send",
		"help nosuch":              "no command",
		"help ls nosuch":           "no command",
		"ls --nosuch":              "unknown flag",
		"ls nosuch":                `no kind is called "nosuch"; known are sysv, sem and msg`,
		"ls sysv:1":                "address of one object",
		"limits nosuch":            "no kind",
		"stat":                     "ADDRESS is missing",
		"stat nosuch:1":            `no kind is called "nosuch"; known are sysv, sem, msg, posix, file, memfd, map, lock`,
		"stat 0x5eed":              "has no kind: write sysv:0x5eed",
		"stat sysv:abc":            "a key such as",
		"stat sysv:0x100000000":    "32 bits",
		"stat sysv:private":        "only create",
		"stat sysv:1 sem:":         "nothing behind the colon",
		"rm":                       "ADDRESS is missing",
		"rm sysv:0":                "only create",
		"rm --all":                 "needs --yes",
		"rm --all nosuch --yes":    "no kind",
		"rm sysv:1 --mine":         "go with --all",
		"lock sem:1":               "sem:0x1 has no memory to lock; lock works on sysv:",
		"unlock msg:1":             "unlock works on sysv:",
		"dump sem:1":               "sem:0x1 has no memory to dump; dump works on sysv:",
		"put msg:1":                "put works on sysv:",
		"get msg:1":                "get works on sysv:",
		"dump sysv:1 sysv:2":       "one too many",
		"dump sysv:1 --offset -1":  "negative",
		"dump sysv:1 --offset x":   "no size",
		"dump sysv:1 --length 2KB": "no size",
		"dump sysv:1 --length":     "needs an argument",
		"create":                   "ADDRESS is missing",
		"create sysv:1":            "needs --size BYTES",
		"create sem:1":             "needs --count N",
		"create sysv:1 --size":     "needs an argument",
		"create sysv:1 --size 0":   "at least 1 byte",
		"create sysv:1 --size -1":  "negative",
		"create sysv:1 --size 64Q": "no size",
		"create sysv:1 --size 9223372036854775808":    "above 9223372036854775807",
		"create sysv:1 --size 18446744073709551616":   "above 9223372036854775807",
		"create sysv:1 --size 8E":                     "above 9223372036854775807",
		"create sysv:1 --size 1 --count 2":            "--count does not apply to sysv:0x1; it is for sem:",
		"create sysv:1 --size 1 --mode 888":           "no mode",
		"create sysv:1 --size 1 --mode 1777":          "no mode",
		"create sysv:1 --size 1 --huge-page-size 2M":  "needs --huge",
		"create sysv:id=1 --size 1":                   "names an object that exists",
		"create sem:1 --count 0":                      "at least 1 semaphore",
		"create sem:1 --count -1":                     "negative",
		"create sem:1 --count 4294967297":             "outside",
		"create msg:1 --exclusive=x":                  "true or false",
		"set sysv:1":                                  "nothing to change: give one of --owner, --group or --mode",
		"set sysv:1 --capacity 1":                     "does not apply",
		"set sysv:1 --owner no-such-user":             "no user is called",
		"set sysv:1 --group no-such-group":            "no group is called",
		"set sysv:1 --owner 4294967295":               "no user is called",
		"set sem:1 --value 1":                         "INDEX=VALUE",
		"set sem:1 --values 1,x":                      "no number from 0 to 32767",
		"sem op":                                      "ADDRESS is missing",
		"sem op sem:1":                                "INDEX:DELTA is missing",
		"sem op sem:1 0":                              "no INDEX:DELTA",
		"sem op sem:1 0:":                             "no INDEX:DELTA",
		"sem op sem:1 x:1":                            "no INDEX:DELTA",
		"sem op sem:1 65536:1":                        "no INDEX:DELTA",
		"sem op sem:1 0:32768":                        "outside -32768 to 32767",
		"sem op sem:1 0:-99999999999999999999":        "outside -32768 to 32767",
		"sem op sysv:1 0:1":                           "sysv:0x1 has no semaphores; sem op works on sem:",
		"sem values msg:1":                            "sem values works on sem:",
		"msg send sem:1 x":                            "sem:0x1 has no messages; msg send works on msg:",
		"msg send msg:1 a b":                          "one too many",
		"msg send msg:1 a --type 9223372036854775808": `invalid argument "9223372036854775808" for "--type" flag: no number of 64 bits`,
		"msg send msg:1 a --type x":                   `invalid argument "x" for "--type" flag: not a whole number`,
		"msg receive msg:1 --peek 1.5":                `"--peek" flag: not a whole number`,
		"read sysv:1 --lines 9223372036854775808":     `"--lines" flag: no number of 64 bits`,
		"write sysv:1 --readers x":                    `"--readers" flag: not a whole number`,
		"send x sysv:1 --receivers 1e3":               `"--receivers" flag: not a whole number`,
		"ls --json=x":                                 `"--json" flag: write true or false, or no value`,
		"msg send msg:1 a --type 0":                   "begin at 1",
		"msg send msg:1 a --timeout x":                "such as 2s",
		"msg send msg:1 a --timeout -1s":              "not negative",
		"msg receive msg:1 --type 1 --up-to 2":        "type up-to",
		"msg receive msg:1 --except 0":                "begin at 1",
		"msg receive msg:1 --peek -1":                 "positions",
		"msg receive msg:1 --length 4G":               "no message is longer",
		"completion":                                  "SHELL is missing",
		"completion tcsh":                             "there is bash, zsh and fish",
		"version x":                                   "not expected",
	} {
		t.Run(line, func(t *testing.T) {
			refused(t, run(t, strings.Fields(line)...), exitUsage, why)
		})
	}
}

func TestNowaitAndTimeoutExcludeEachOther(t *testing.T) {
	_, sem, msg := newAddresses(t)
	mustRun(t, "create", sem, "--count", "1")
	mustRun(t, "create", msg)
	refused(t, run(t, "sem", "op", sem, "0:1", "--nowait", "--timeout", "1s"), exitUsage, "exclude")
	refused(t, run(t, "msg", "send", msg, "x", "--nowait", "--timeout", "1s"), exitUsage, "exclude")
	mustRun(t, "rm", sem, msg)
}

func TestNothingIsDoneIfOneArgumentIsWrong(t *testing.T) {
	addr, sem, _ := newAddresses(t)
	mustRun(t, "create", addr, "--size", "1")
	refused(t, run(t, "rm", addr, "sysv:x"), exitUsage)
	refused(t, run(t, "lock", addr, sem), exitUsage, "no memory to lock")
	if out := mustRun(t, "stat", addr); !strings.Contains(out, "marks            none") {
		t.Error(out)
	}
	mustRun(t, "rm", addr)
}

func TestColoursOnATerminalOnly(t *testing.T) {
	for _, c := range []struct {
		terminal bool
		env      map[string]string
		want     bool
	}{
		{true, nil, true},
		{false, nil, false},
		{true, map[string]string{"NO_COLOR": "1"}, false},
		{true, map[string]string{"TERM": "dumb"}, false},
	} {
		a := &app{isTerminal: func(any) bool { return c.terminal }, getenv: func(name string) string { return c.env[name] }}
		r := runApp(t, a, "limits")
		if got := strings.Contains(r.out, "\x1b["); r.code != 0 || got != c.want {
			t.Errorf("%+v: code %d, colours %v", c, r.code, got)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}, {"-V"}} {
		if out := mustRun(t, args...); !strings.HasPrefix(out, "shmkit ") || !strings.Contains(out, " linux/") {
			t.Errorf("%v: %q", args, out)
		}
	}
}

func TestCompletion(t *testing.T) {
	addr, _, _ := newAddresses(t)
	mustRun(t, "create", addr, "--size", "1")
	for _, c := range []struct {
		line, want, not string
	}{
		{"ls ", "sem\tsemaphore sets\n", "sysv:"},
		{"ls sem ", "msg\t", "sem\t"},
		{"limits ", "sysv\t", ""},
		{"stat ", "sysv:\t", addr},
		{"stat sysv:", addr + "\n", "sem:"},
		{"stat " + addr + " sysv:", "", addr + "\n"},
		{"dump ", "sysv:\t", "sem:"},
		{"dump sysv:", addr + "\n", ""},
		{"dump " + addr + " ", "", "sysv:"},
		{"dump sem:", "", addr},
		{"sem op ", "sem:\t", "sysv:"},
		{"msg receive ", "msg:\t", "sysv:"},
		{"rm --all ", "sysv\t", "sysv:"},
		{"read ", "sysv:\t", "sem:"},
		{"write ", "sysv:\t", "msg:"},
		{"read sysv:", addr + "\n", ""},
		{"recv ", "sysv:\t", "sem:"},
		{"recv sysv:1 ", ":0\n", "sysv:"}, // 0: as the shell completes files
		{"recv sysv:1 file ", ":4\n", "sysv:"},
		{"send ", ":0\n", "sysv:"},
		{"send file ", "sysv:\t", "sem:"},
		{"send file sysv:", addr + "\n", ""},
		{"send file sysv:1 ", ":4\n", "sysv:"}, // 4: nothing
		{"help ", "classic\t", ""},
		{"help sem ", "op\t", "classic"},
		{"completion ", "zsh\n", ""},
		{"create ", "msg:\t", ""},
		{"scan file --sum ", "sha256\nsha512\nsha1\nmd5\ncrc32\ncrc32c\n:4\n", ""},
		{"scan --sum=", "md5\n", ""},
		{"memfd run --seals ", "shrink\ngrow\nwrite\nfuture-write\nexec\nseal\n:6\n", ""},
		{"memfd run --seals write,sh", "write,shrink\n", "write,write"},
		{"memfd run --seals=shrink,seal,", "shrink,seal,grow\n", "seal,seal"},
	} {
		words := strings.Split(c.line, " ")
		out := run(t, append([]string{"__complete"}, words...)...).out
		if !strings.Contains(out, c.want) || c.not != "" && strings.Contains(out, c.not) {
			t.Errorf("%q completes to\n%swant %q, not %q", c.line, out, c.want, c.not)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if out := mustRun(t, "completion", shell); !strings.Contains(out, "shmkit") {
			t.Errorf("%s: %q", shell, out)
		}
	}
	mustRun(t, "rm", addr)
}

// lamp is a kind of which the verbs know nothing. It goes by the name of one that
// addresses know.
type lamp struct{ made *kind.Options }

func (lamp) Name() string  { return "msg" }
func (lamp) Title() string { return "lamps" }

func (lamp) CreateOptions() []kind.Option {
	return []kind.Option{
		{Name: "colour", Type: kind.ListOption, Placeholder: "NAME", Usage: "colours", Required: true},
		{Name: "watts", Type: kind.NumberOption, Default: int64(40), Usage: "power"},
	}
}

func (l lamp) Create(a address.Address, o kind.Options) (kind.Object, bool, error) {
	*l.made = o
	return l.object(a), true, nil
}

func (lamp) object(a address.Address) kind.Object {
	return kind.Object{Address: a, Fields: []kind.Field{
		{Name: "kind", Value: kind.Text("msg")}, {Name: "address", Value: kind.Text(a.String())},
		{Name: "id", Value: kind.Count(1)}, {Name: "key", Value: kind.Key(2)}, {Name: "light", Value: kind.Text("on\x1b[2J\n")},
	}}
}

func (lamp) Columns() []kind.Column { return []kind.Column{{Heading: "LIGHT", Field: "light"}} }

func (l lamp) List() ([]kind.Object, error) {
	return []kind.Object{l.object(address.Address{Kind: "msg", Target: address.ID(1)})}, nil
}

func TestANewKindNeedsNoChangeInTheVerbs(t *testing.T) {
	l := lamp{&kind.Options{}}
	runs := func(args ...string) ran { return runApp(t, &app{kinds: kind.NewRegistry(l)}, args...) }
	if r := runs("create", "msg:1", "--colour", "red,green", "--colour", "blue"); r.code != 0 || !strings.Contains(r.out, "created") {
		t.Errorf("%+v", r)
	}
	if c, _ := kind.Given[[]string](*l.made, "colour"); strings.Join(c, " ") != "red green blue" || l.made.Int64("watts") != 40 {
		t.Errorf("options %v", *l.made)
	}
	refused(t, runs("create", "msg:1"), exitUsage, "needs --colour NAME")
	refused(t, runs("stat", "msg:1"), exitUsage, "msg:0x1 has no state to show; stat works on no kind there is")
	// What comes from elsewhere does not reach the terminal as it is.
	if r := runs("ls"); r.out != "msg: lamps\nLIGHT\non\\x1b[2J\\n\n" {
		t.Errorf("%q", r.out)
	}
	var all []map[string]any
	if err := json.Unmarshal([]byte(runs("ls", "--json").out), &all); err != nil || len(all) != 1 || all[0]["light"] != "on\x1b[2J\n" {
		t.Errorf("%v, %v", all, err)
	}
}

func TestNoCommandLinePanicsOrSaysMoreThanALine(t *testing.T) {
	// All words but the names of commands that start processes or wait for them.
	words := []string{
		"create", "ls", "stat", "set", "rm", "lock", "limits", "dump", "put", "get", "sem", "op", "values", "msg", "send", "receive", "help",
		"completion", "version", "classic", "__complete", "msg:1", "msg:id=0", "msg:private", "msg:ftok=/:/", "sysv:1", "x:", "", "-", "--", "-1", "0:-1",
		"--size", "--count", "--colour", "--json", "--all", "--yes", "--offset", "--length", "0x7fffffffffffffff", "9223372036854775808",
		"--help", "-h", "--timeout", "1e400", "--type=0", "--nosuch", "\xff\n", "--mode", "777", "-l", "--=", "-V",
	}
	kinds := kind.NewRegistry(lamp{&kind.Options{}})
	rapid.Check(t, func(rt *rapid.T) {
		args := rapid.SliceOfN(rapid.SampledFrom(words), 0, 6).Draw(rt, "args")
		r := runApp(t, &app{kinds: kinds}, args...)
		switch {
		case r.code == exitDone || slices.Contains(args, "__complete"):
		case r.code != exitFailed && r.code != exitUsage:
			rt.Fatalf("exit code %d", r.code)
		case strings.Count(r.err, "\n") != 1 || !strings.HasPrefix(r.err, "shmkit"):
			rt.Fatalf("exit code %d, not one line: %q", r.code, r.err)
		}
	})
}

func TestJSONOfNothingIsAnEmptyArray(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	if out := mustRun(t, "ls", "--json"); out != "[]\n" {
		t.Errorf("%q", out)
	}
	if out := mustRun(t, "ls"); out != "none\n" {
		t.Errorf("%q", out)
	}
	want := "sysv: shared memory segments\nnone\n\nsem: semaphore sets\nnone\n\nmsg: message queues\nnone\n"
	if out := mustRun(t, "ls", "sysv", "sem", "msg"); out != want {
		t.Errorf("%q", out)
	}
}
