package address_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/address"
)

func TestParseAndPrint(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  address.Target
		print string // if not text
	}{
		{"sysv:0x5eed", address.Key(0x5eed), ""},
		{"sysv:0X5EED", address.Key(0x5eed), "sysv:0x5eed"},
		{"sysv:0x00005eed", address.Key(0x5eed), "sysv:0x5eed"},
		{"sysv:24301", address.Key(24301), "sysv:0x5eed"},
		{"sysv:0xffffffff", address.Key(0xffffffff), ""},
		{"sysv:4294967295", address.Key(0xffffffff), "sysv:0xffffffff"},
		{"sysv:-1", address.Key(0xffffffff), "sysv:0xffffffff"},
		{"sysv:-2147483648", address.Key(0x80000000), "sysv:0x80000000"},
		{"sysv:1", address.Key(1), "sysv:0x1"},
		{"sysv:private", address.Private{}, ""},
		{"sysv:0", address.Private{}, "sysv:private"},
		{"sysv:0x0", address.Private{}, "sysv:private"},
		{"sysv:0x00000000", address.Private{}, "sysv:private"}, // as ipcs prints it
		{"sysv:-0", address.Private{}, "sysv:private"},
		{"sysv:id=0", address.ID(0), ""},
		{"sysv:id=2147483647", address.ID(2147483647), ""},
		{"sysv:id=007", address.ID(7), "sysv:id=7"},
		{"sysv:ftok=/tmp:A", address.FromPath{Path: "/tmp", Project: 'A'}, ""},
		{"sysv:ftok=a:b:c:d", address.FromPath{Path: "a:b:c", Project: 'd'}, ""},
		{"sysv:ftok=/tmp::", address.FromPath{Path: "/tmp", Project: ':'}, ""},
		{"sysv:ftok=/a:::", address.FromPath{Path: "/a:", Project: ':'}, ""},
		{"sysv:ftok=.:\xe9", address.FromPath{Path: ".", Project: 0xe9}, ""},
		{"sysv:ftok=with space:=", address.FromPath{Path: "with space", Project: '='}, ""},
		{"sem:0x5eed", address.Key(0x5eed), ""},
		{"msg:id=3", address.ID(3), ""},
		{"lock:orders", address.ObjectName("orders"), ""},
		{"lock:a/b c", address.ObjectName("a/b c"), ""},
		{"posix:/frames", address.Name("frames"), ""},
		{"posix:frames", address.Name("frames"), "posix:/frames"},
		{"posix:///frames", address.Name("frames"), "posix:/frames"},
		{"posix:a:b c\n\xff", address.Name("a:b c\n\xff"), "posix:/a:b c\n\xff"},
		{"posix:...", address.Name("..."), "posix:/..."},
		{"posix:" + strings.Repeat("x", 255), address.Name(strings.Repeat("x", 255)), "posix:/" + strings.Repeat("x", 255)},
		{"file:/var/x", address.Path("/var/x"), ""},
		{"file:x", address.Path("x"), ""},
		{"file:./a:b/../c", address.Path("./a:b/../c"), ""},
		{"file:file:x", address.Path("file:x"), ""},
		{"memfd:812/5", address.Descriptor{PID: 812, FD: 5}, ""},
		{"memfd:007/00", address.Descriptor{PID: 7, FD: 0}, "memfd:7/0"},
		{"memfd:self/3", address.Descriptor{FD: 3}, ""},
		{"memfd:2147483647/2147483647", address.Descriptor{PID: 2147483647, FD: 2147483647}, ""},
		{"map:812/7f12a4000000", address.Region{PID: 812, Start: 0x7f12a4000000}, ""},
		{"map:812/0x7F12A4000000", address.Region{PID: 812, Start: 0x7f12a4000000}, "map:812/7f12a4000000"},
		{"map:self/0", address.Region{}, ""},
		{"map:1/00ffffffffffffffff", address.Region{PID: 1, Start: 1<<64 - 1}, "map:1/ffffffffffffffff"},
	} {
		a, err := address.Parse(c.text)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		kind, _, _ := strings.Cut(c.text, ":")
		if want := (address.Address{Kind: kind, Target: c.want}); a != want {
			t.Errorf("Parse(%q) = %#v, want %#v", c.text, a, want)
		}
		want := c.print
		if want == "" {
			want = c.text
		}
		if got := a.String(); got != want {
			t.Errorf("Parse(%q).String() = %q, want %q", c.text, got, want)
		}
	}
}

func TestWrongAddressesSayWhy(t *testing.T) {
	for text, why := range map[string]string{
		"":                             "empty",
		"0x5eed":                       "it has no kind: write sysv:0x5eed, or, if that is the name, topic:0x5eed",
		"-12":                          "write sysv:-12, or",
		"/frames":                      "it is a path: write file:/frames, or, if that is the name, topic:/frames or posix:/frames",
		"./frames":                     "write file:./frames, or",
		"../a:b":                       "write file:../a:b, or",
		"frames\x00":                   "zero byte",
		":0x5eed":                      `no kind is called ""; known are sysv, sem, msg, posix, file, memfd, map, lock`,
		"shm:0x5eed":                   `no kind is called "shm"; known are sysv, sem, msg, posix, file, memfd, map, lock`,
		"SYSV:1":                       `no kind is called "SYSV"`,
		"sysv:":                        "nothing behind the colon",
		"sysv:abc":                     "a key such as 0x5eed",
		"sysv: 1":                      "a key such as 0x5eed",
		"sysv:1 ":                      "a key such as 0x5eed",
		"sysv:+1":                      "a key such as 0x5eed",
		"sysv:1_000":                   "a key such as 0x5eed",
		"sysv:--1":                     "a key such as 0x5eed",
		"sysv:-":                       "a key such as 0x5eed",
		"sysv:1\n":                     "a key such as 0x5eed",
		"sysv:0x":                      "no hexadecimal number",
		"sysv:0xg":                     "no hexadecimal number",
		"sysv:-0x1":                    "negative hexadecimal",
		"sysv:010":                     "octal",
		"sysv:0x100000000":             "keys have 32 bits",
		"sysv:4294967296":              "keys have 32 bits",
		"sysv:99999999999999999999":    "keys have 32 bits",
		"sysv:-2147483649":             "keys have 32 bits",
		"sysv:-99999999999999999999":   "keys have 32 bits",
		"sysv:id=":                     "no decimal number",
		"sysv:id=-1":                   "no decimal number",
		"sysv:id=0x3":                  "no decimal number",
		"sysv:id=2147483648":           "above 2147483647",
		"sysv:id=99999999999999999999": "above 2147483647",
		"sysv:ftok=":                   "no path",
		"sysv:ftok=:A":                 "no path",
		"sysv:ftok=:":                  "no path",
		"sysv:ftok=::":                 "no project byte",
		"sysv:ftok=/tmp":               "no project byte",
		"sysv:ftok=/tmp:":              "no project byte",
		"sysv:ftok=/tmp:AB":            `one byte, not "AB"`,
		"sysv:ftok=/tmp:é":             `one byte, not "é"`,
		"lock:":                        "nothing behind the colon",
		"lock:a\x00":                   "zero byte",
		"sysv:private2":                "a key such as 0x5eed",
		"posix:":                       "nothing behind the colon",
		"posix:/":                      "at least one character",
		"posix://":                     "at least one character",
		"posix:/.":                     "name of a directory",
		"posix:..":                     "name of a directory",
		"posix:/a/b":                   "say file:PATH",
		"posix:a/":                     "say file:PATH",
		"posix:a\x00b":                 "zero byte",
		"file:":                        "path of a file",
		"file:a\x00":                   "zero byte",
		"memfd:":                       "PID/FD",
		"memfd:5":                      "PID/FD",
		"memfd:/":                      `process "" is no decimal number`,
		"memfd:1/":                     `descriptor "" is no decimal number`,
		"memfd:0/3":                    "no process has the number 0",
		"memfd:-1/3":                   "no decimal number",
		"memfd:1/-1":                   "no decimal number",
		"memfd:1/3/":                   "no decimal number",
		"memfd:Self/3":                 "no decimal number",
		"memfd:1/2147483648":           "above 2147483647",
		"memfd:99999999999999999999/1": "above 2147483647",
		"map:":                         "PID/START",
		"map:7f12a4000000":             "PID/START",
		"map:0/1000":                   "no process has the number 0",
		"map:x/1000":                   "no decimal number",
		"map:1/":                       `"" is no hexadecimal address`,
		"map:1/0x":                     "no hexadecimal address",
		"map:1/g":                      "no hexadecimal address",
		"map:1/-1":                     "no hexadecimal address",
		"map:1/1/2":                    "no hexadecimal address",
		"map:1/10000000000000000":      "more than 64 bits",
	} {
		a, err := address.Parse(text)
		var bad *address.Error
		if !errors.As(err, &bad) {
			t.Errorf("Parse(%q) = %v, %v; want an *address.Error", text, a, err)
			continue
		}
		if bad.Text != text || !strings.Contains(err.Error(), why) {
			t.Errorf("Parse(%q): %q does not say %q", text, err, why)
		}
		if strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("Parse(%q): the error is not one line: %q", text, err)
		}
	}
}

func TestWhatHasNoKindIsATopic(t *testing.T) {
	for _, text := range []string{"frames", "camera/front", "0x", "08", "12a", "topic", "…", "a b"} {
		a, err := address.Parse(text)
		if want := (address.Address{Kind: "topic", Target: address.ObjectName(text)}); err != nil || a != want || address.HasKind(text) {
			t.Errorf("%q: %#v, %v", text, a, err)
		}
	}
	for text, has := range map[string]bool{"topic:/a": true, "file:x": true, "topic:": true, "nosuch:x": false, ":x": false, "": false} {
		if address.HasKind(text) != has {
			t.Errorf("HasKind(%q) is %v", text, !has)
		}
	}
}

func TestNamesAreAsLongAsFileNames(t *testing.T) {
	if _, err := address.Parse("posix:/" + strings.Repeat("x", 256)); err == nil || !strings.Contains(err.Error(), "at most 255 bytes") {
		t.Errorf("256 bytes: %v", err)
	}
}

func TestTextWithoutAKindMayBeAPath(t *testing.T) {
	for text, want := range map[string]string{
		"image.iso": "file:image.iso", "/a:b": "file:/a:b", "./sysv:1": "file:./sysv:1", "a.b:c": "file:a.b:c", "-": "file:-",
		"posix:/x": "posix:/x", "file:x": "file:x", "sysv:1": "sysv:0x1",
		"": "", "x:y": "", "a\x00": "", ":x": "", "sysv:abc": "",
	} {
		a, err := address.ParseOrPath(text)
		if want == "" {
			var bad *address.Error
			if !errors.As(err, &bad) {
				t.Errorf("%q: %v, %v", text, a, err)
			}
			continue
		}
		if err != nil || a.String() != want {
			t.Errorf("%q: %v, %v; want %s", text, a, err, want)
		}
	}
}

func TestKindsAreACopy(t *testing.T) {
	address.Kinds()[0] = "changed"
	if got := address.Kinds(); got[0] != "sysv" || len(got) < 8 {
		t.Errorf("Kinds() = %q", got)
	}
}

func FuzzParsePrintParse(f *testing.F) {
	for _, text := range []string{
		"sysv:0x5eed", "sysv:-1", "sem:id=3", "msg:private", "sysv:ftok=a:b:c", "sysv:ftok=::::", "sysv:0", "x", ":", "sysv:ftok=\x00:\xff",
		"posix:/frames", "posix:a/b", "posix:\x00", "file:/a:b", "file:\n", "memfd:812/5", "memfd:self/3", "memfd:0/0", "map:1/f", "map:self/0x0", "frames", "/frames", "topic:/frames",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := address.Parse(text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Errorf("Parse(%q): the error is not one line: %q", text, err)
			}
			return
		}
		printed := a.String()
		again, err := address.Parse(printed)
		if err != nil {
			t.Fatalf("Parse(%q) prints %q, which does not parse: %v", text, printed, err)
		}
		if again != a {
			t.Fatalf("Parse(%q) = %#v prints %q, which is %#v", text, a, printed, again)
		}
		if got := again.String(); got != printed {
			t.Fatalf("%q prints %q", printed, got)
		}
	})
}
