package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/memfd"
)

// Whoever names objects does not write on the terminal of who looks at them.
func TestNamesWithControlCharactersArePrintedEscaped(t *testing.T) {
	t.Chdir(t.TempDir())
	name := testenv.Name(t) + "-a\nb\x1b[31m\r"
	shown := strings.NewReplacer("\n", `\n`, "\x1b", `\x1b`, "\r", `\r`).Replace(name)
	f, err := memfd.Create(name, 4096, memfd.NoSeals)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := func(args ...string) ran {
		return runApp(t, &app{kinds: allKinds(), in: bytes.NewReader([]byte("x"))}, args...)
	}
	for _, c := range []struct {
		code int
		args []string
	}{
		{0, []string{"create", "posix:" + name, "--size", "4K"}},
		{0, []string{"create", "file:" + name, "--size", "4K"}},
		{0, []string{"create", "lock:" + name}},
		{1, []string{"create", "posix:" + name, "--size", "4K", "--exclusive"}},
		{1, []string{"create", "file:" + name, "--size", "4K", "--exclusive"}},
		{1, []string{"create", "file:" + name, "--size", "4M"}},
		{0, []string{"ls"}},
		{0, []string{"ls", "--long"}},
		{0, []string{"stat", "posix:" + name, "file:" + name, "lock:" + name}},
		{0, []string{"stat", f.Address()}},
		{0, []string{"put", "posix:" + name}},
		{0, []string{"put", "file:" + name}},
		{0, []string{"put", f.Address()}},
		{1, []string{"put", "file:" + name, "--offset", "4K"}},
		{1, []string{"get", "posix:" + name, "--offset", "1M"}},
		{0, []string{"flush", "file:" + name}},
		{0, []string{"scan", name}},
		{0, []string{"scan", "posix:" + name}},
		{1, []string{"scan", name, "--length", "1M"}},
		{2, []string{"set", "file:" + name}},
		{2, []string{"set", "posix:" + name, "--seals", "write"}},
		{2, []string{"unlock", "file:" + name}},
		{1, []string{"write", "file:" + name}},
		{1, []string{"send", "nosuch" + name, "posix:" + name}},
		{1, []string{"memfd", "run", "--from", "nosuch" + name, "--", "true"}},
		{1, []string{"memfd", "run", "--size", "1", "--", "nosuch" + name}},
		{0, []string{"recover", "lock:" + name, "--reset"}},
		{0, []string{"rm", "-v", "posix:" + name, "file:" + name, "lock:" + name}},
		{1, []string{"rm", "posix:" + name, "file:" + name, "lock:" + name}},
		{1, []string{"stat", "posix:" + name}},
		{2, []string{"stat", "nosuch:" + name}},
		{2, []string{"ls", name}},
		{2, []string{name}},
	} {
		r := in(c.args...)
		if r.code != c.code {
			t.Errorf("%q: exit code %d: %s", c.args, r.code, r.err)
		}
		text := r.out + r.err
		if strings.ContainsAny(text, "\x1b\r") || strings.Contains(text, "-a\nb") {
			t.Errorf("%q: %q", c.args, text)
		}
		if strings.Contains(text, "shmkit-test") != strings.Contains(text, shown) {
			t.Errorf("%q does not say %s:\n%s", c.args, shown, text)
		}
		if r.code != 0 && strings.Count(r.err, "\n") != max(1, strings.Count(r.err, "shmkit rm: ")) {
			t.Errorf("%q: not one line: %q", c.args, r.err)
		}
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
