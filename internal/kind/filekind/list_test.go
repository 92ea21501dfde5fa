package filekind_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/filekind"
	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, nil) }

// mapsLine is a line of /proc/PID/maps about a file that exists.
func mapsLine(t *testing.T, path, how string) string {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	major, minor := st.Dev>>8&0xfff|st.Dev>>32&^0xfff, st.Dev&0xff|st.Dev>>12&^0xff
	return fmt.Sprintf("7f0000000000-7f0000001000 %s 00000000 %02x:%02x %d   %s\n", how, major, minor, st.Ino, path)
}

func TestListHasFilesThatAreMappedSharedAndNothingElse(t *testing.T) {
	dir, root := t.TempDir(), t.TempDir()
	shared, private := filepath.Join(dir, "shared file"), filepath.Join(dir, "private")
	for _, path := range []string{shared, private} {
		if err := os.WriteFile(path, []byte("content"), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	for pid, maps := range map[string]string{
		"1": mapsLine(t, shared, "rw-s") + mapsLine(t, private, "r--p") +
			"7f0000010000-7f0000011000 rw-s 00000000 00:01 7   /SYSV00005eed (deleted)\n" +
			"7f0000012000-7f0000013000 rw-s 00000000 00:01 8   /dev/zero (deleted)\n" +
			"7f0000014000-7f0000015000 rw-s 00000000 00:01 9   /memfd:x (deleted)\n" +
			"7f0000016000-7f0000017000 rw-s 00000000 00:1a 10  /dev/shm/x\n" +
			"7f0000018000-7f0000019000 rw-s 00000000 00:06 11  /dev/null\n" +
			"7f000001a000-7f000001b000 rw-s 00000000 08:01 12  /nosuch/file (deleted)\n",
		"2": mapsLine(t, shared, "r--s"),
	} {
		if err := os.Mkdir(filepath.Join(root, pid), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, pid, "maps"), []byte(maps), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files := filekind.Files{Proc: root}
	all, err := files.List()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range all {
		got = append(got, strings.Join([]string{
			o.Value("address").Short(), o.Value("size").Short(), o.Value("mode").Short(), o.Value("mapped_by").Short(), o.Value("marks").Short(),
		}, " "))
		for _, c := range files.Columns() {
			if o.Value(c.Field) == nil {
				t.Errorf("%s: column %s shows %s, which is no field", o.Address, c.Heading, c.Field)
			}
		}
	}
	want := []string{"file:/nosuch/file - - 1 deleted", "file:" + shared + " 7 0640 2 -"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// All objects have the same fields: JSON is stable.
	if a, b := fields(all[0]), fields(all[1]); a != b {
		t.Errorf("fields\n%s\n%s", a, b)
	}
}

func fields(o kind.Object) string {
	var names []string
	for _, f := range o.Fields {
		names = append(names, f.Name)
	}
	return strings.Join(names, " ")
}

func TestPathsAreCompletedAsShellsDo(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"image.iso", "image.txt", ".hidden"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "images"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "impipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := "file:" + dir + "/"
	for text, want := range map[string]string{
		at:              at + "image.iso " + at + "image.txt " + at + "images/",
		at + "image.":   at + "image.iso " + at + "image.txt",
		at + ".h":       at + ".hidden",
		at + "nosuch":   "",
		at + "images/":  "",
		"posix:x":       "",
		"file:/nosuch/": "",
	} {
		if got := strings.Join(filekind.Files{}.Complete(text), " "); got != want {
			t.Errorf("%s completes to %s", text, got)
		}
	}
}
