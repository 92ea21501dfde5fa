package live

import (
	"testing"

	"github.com/shmkit/shmkit/internal/model"
)

// What has a path is made and opened by it, and called as the script does.
func TestWhatHasAPath(t *testing.T) {
	c := NewCast()
	c.Enter("A", process(42))
	c.Enter("B", process(43))
	c.Name("A.d0", "/dev/shm/mine")
	c.Name("A.d1", "/var/tmp/file")
	for _, w := range []struct{ line, want string }{
		{"A memfd fd=d0", `shm_open("/mine", O_RDWR|O_CREAT|O_EXCL, 0600)`},
		{"A tmpfile fd=d1", `open("/var/tmp/file", O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0600)`},
		{"B open fd=d0 from=A.d0 flags=r,w", `shm_open("/mine", O_RDWR, 0)`},
		{"B open fd=d1 from=A.d1 flags=r", `open("/var/tmp/file", O_RDONLY|O_CLOEXEC)`},
		{"A memfd fd=d2", `memfd_create("A3", MFD_CLOEXEC)`},
	} {
		op, err := model.ParseOp(w.line)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Text(op); got != w.want {
			t.Errorf("%s: %s, want %s", w.line, got, w.want)
		}
		if _, err := c.Ask("do", op); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.named("0-1 rw-s mine+0; 1-2 rw-s file+1; 2-3 rw-s mine2+0"); got != "0-1 rw-s A1+0; 1-2 rw-s A2+1; 2-3 rw-s mine2+0" {
		t.Error(got)
	}
	for line, want := range map[string]liveArea{
		"2000000000-2000001000 rw-s 00000000 00:1b 12 /dev/shm/mine":     {source: " mine+0"},
		"2000000000-2000001000 rw-s 00000000 00:1b 12 /dev/shm/dir/mine": {source: " mine+0", disk: true},
		"2000000000-2000001000 rw-s 00000000 fe:00 12 /var/tmp/file":     {source: " file+0", disk: true},
	} {
		if a, ok, err := parseLiveArea(line); err != nil || !ok || a.source != want.source || a.disk != want.disk {
			t.Errorf("%s: %+v, %v", line, a, err)
		}
	}
}
