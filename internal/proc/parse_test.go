package proc

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// linesIn calls f with the lines of a text as a Buffer reads them, some bytes at a time.
func linesIn(text string, step int, f func(line []byte) bool) error {
	rest := []byte(text)
	return NewBuffer().linesOf(func(b []byte) (int, error) {
		n := copy(b[:min(step, len(b))], rest)
		rest = rest[n:]
		return n, nil
	}, f)
}

func TestMapsAreParsed(t *testing.T) {
	const text = "00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/dbus daemon\n" +
		"00e03000-00e24000 rw-p 00000000 00:00 0           [heap]\n" +
		"7f0000000000-7f0000001000 rw-s 00001000 fd:1a 42         /var/data\\012x (deleted)\n" +
		"7f0000001000-7f0000002000 ---p 00000000 00:00 0 \n" +
		"nonsense\n" +
		"7f0000002000-7f0000003000 r--s 00000000 00:01 0          /SYSV00000000 (deleted)\n" +
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n" +
		"b7f00000-b7f01000 r--p 00000000 103:00002 5 /lib/ld\n" + // of 32 bits, with a large minor number
		"7f0000003000-7f00000030" // cut
	type line struct {
		start, end, offset, inode uint64
		major, minor              uint32
		perms, path               string
	}
	want := []line{
		{0x400000, 0x452000, 0, 173521, 8, 2, "r-xp", "/usr/bin/dbus daemon"},
		{0xe03000, 0xe24000, 0, 0, 0, 0, "rw-p", "[heap]"},
		{0x7f0000000000, 0x7f0000001000, 0x1000, 42, 0xfd, 0x1a, "rw-s", `/var/data\012x (deleted)`},
		{0x7f0000001000, 0x7f0000002000, 0, 0, 0, 0, "---p", ""},
		{0x7f0000002000, 0x7f0000003000, 0, 0, 0, 1, "r--s", "/SYSV00000000 (deleted)"},
		{0xffffffffff600000, 0xffffffffff601000, 0, 0, 0, 0, "--xp", "[vsyscall]"},
		{0xb7f00000, 0xb7f01000, 0, 5, 0x103, 2, "r--p", "/lib/ld"},
	}
	for _, step := range []int{1, 7, 64, 1 << 20} {
		var got []line
		err := linesIn(text, step, mapsParser(func(m *Map) bool {
			got = append(got, line{m.Start, m.End, m.Offset, m.Inode, m.Major, m.Minor, string(m.Perms[:]), string(m.Path)})
			return true
		}))
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(line{})); diff != "" || err != nil {
			t.Errorf("%d bytes at a time: %v\n%s", step, err, diff)
		}
	}
	n := 0
	_ = linesIn(text, 100, mapsParser(func(*Map) bool { n++; return n < 2 }))
	if n != 2 {
		t.Errorf("it was stopped after 2 lines, and told %d", n)
	}
}

func TestWrongLinesOfMapsAreNone(t *testing.T) {
	for _, text := range []string{
		"", " ", "-", "1-", "1-2", "1-2 ", "1-2 r", "1-2 rwxp", "1-2 rwxp 0", "1-2 rwxp 0 0:0", "1-2 rwxp 0 0:0 ", "2-1 rwxp 0 0:0 1",
		"1-2 rwxq 0 0:0 1", "1-2 rwxpp 0 0:0 1", "g-2 rwxp 0 0:0 1", "1-2 rwxp 0 0:0 x", "1-2 rwxp 0 0 1", "1-2 rwxp 0 1ffffffff:0 1",
		"10000000000000000-20000000000000000 rwxp 0 0:0 1", "1-2 rwxp 0 0:0 18446744073709551616", "1-2 rwxp 0 0:0 -1", "\x00",
	} {
		err := linesIn(text+"\n", 100, mapsParser(func(m *Map) bool { t.Errorf("%q is %+v", text, m); return true }))
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestLongLinesArePassedOver(t *testing.T) {
	long := strings.Repeat("x", 3*mostLine)
	var got []string
	err := linesIn("a\n"+long+"\nb\n"+long, 1000, func(line []byte) bool { got = append(got, string(line)); return true })
	if err != nil || len(got) != 2 || got[0] != "a" || got[1] != "b" {
		t.Errorf("%d lines, %v", len(got), err)
	}
	fails := NewBuffer().linesOf(func(b []byte) (int, error) { return copy(b, "half"), io.ErrUnexpectedEOF }, func(line []byte) bool {
		t.Errorf("a line of what failed: %q", line)
		return true
	})
	if !errors.Is(fails, io.ErrUnexpectedEOF) {
		t.Error(fails)
	}
}

func TestSmapsAreParsed(t *testing.T) {
	const text = "7f00-7f10 rw-s 00000000 00:01 42  /memfd:a: b (deleted)\nSize: 64 kB\nKernelPageSize: 4 kB\nRss:   12 kB\nPss: 6 kB\nNovelty: 9 kB\n" +
		"Shared_Dirty: 8 kB\nSwap: 18446744073709551615 kB\nLocked: x kB\nVmFlags: rd wr lo \n" +
		"7f10-7f20 r--p 00000000 00:00 0 \nRss: 4\nShared_Hugetlb: 2048 kB\nTHPeligible: 0\n"
	var got []Smaps
	parser := smapsParser{f: func(s *Smaps) bool {
		c := *s
		c.Path, c.Flags = bytes.Clone(s.Path), bytes.Clone(s.Flags)
		got = append(got, c)
		return true
	}}
	if err := linesIn(text, 10, parser.line); err != nil {
		t.Fatal(err)
	}
	parser.end()
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	a, b := got[0], got[1]
	if string(a.Path) != "/memfd:a: b (deleted)" || a.Rss != 12<<10 || a.Pss != 6<<10 || a.SharedDirty != 8<<10 || a.PageSize != 4<<10 || a.Locked != 0 {
		t.Errorf("%+v", a)
	}
	if !a.HasFlag("lo") || a.HasFlag("o") || a.HasFlag("lf") || a.Swap != math.MaxUint64>>10<<10 {
		t.Errorf("flags %q, swap %d", a.Flags, a.Swap)
	}
	if b.Rss != 0 || b.Resident() != 2048<<10 || b.Huge() != 2048<<10 || b.Flags != nil {
		t.Errorf("%+v", b)
	}
}

func TestStatusIsParsed(t *testing.T) {
	s, err := ParseStatus([]byte("Name:\tx\\nUid:\t9\nState:\tS (sleeping)\nUid:\t1000\t1001\t1002\t1003\nThreads:\t5\nVmSize:\t    10 kB\nVmLck:\t      64 kB\nNSpid:\t700\t2\nKthread:\t0\nFuture:\t?\n"))
	if want := (Status{State: 'S', UID: 1001, Threads: 5, Locked: 64 << 10, HasMemory: true, PIDs: []int{700, 2}}); err != nil || !cmp.Equal(s, want) {
		t.Errorf("%+v, %v", s, err)
	}
	for _, text := range []string{"", "Uid:\t1\n", "Uid:\tx\ty\tz\tw\n", "Uid:\t1\t4294967296\t1\t1\n", "Uid:\t1\t1\nThreads:\t-1\n", "Uid:\t1\t1\nVmLck: 1 MB\n", "Uid:\t1\t1\nNSpid:\t99999999999\n", "\x00"} {
		if s, err := ParseStatus([]byte(text)); err == nil {
			t.Errorf("%q is %+v", text, s)
		}
	}
}

func TestStatIsParsedWhateverTheCommandIsCalled(t *testing.T) {
	fields := " S 1 2 3 4 5 6 77 8 99 10 11 12 13 14 15 16 17 18 123456789 20 21"
	for _, command := range []string{"bash", "a b", ") R 9 9", "(((", "))", "", "\n", "x) Z 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"} {
		s, err := ParseStat([]byte("812 (" + command + ")" + fields + "\n"))
		if want := (Stat{State: 'S', MinorFaults: 77, MajorFaults: 99, Start: 123456789}); err != nil || s != want {
			t.Errorf("%q: %+v, %v", command, s, err)
		}
	}
	for _, text := range []string{"", "812", "812 (x", "812 (x)", "812 (x) S 1", "812 (x)" + strings.Replace(fields, "77", "x", 1), "812 (x)" + strings.Replace(fields, "123456789", "18446744073709551616", 1)} {
		if s, err := ParseStat([]byte(text)); err == nil {
			t.Errorf("%q is %+v", text, s)
		}
	}
}

func TestLocksAreParsed(t *testing.T) {
	for text, want := range map[string]Lock{
		"1: POSIX  ADVISORY  WRITE 812 08:02:42 0 EOF":                     {Type: "POSIX", Write: true, PID: 812, Major: 8, Minor: 2, Inode: 42, End: math.MaxUint64},
		"1: -> FLOCK  ADVISORY  READ  812 fd:1a:42 10 20":                  {Type: "FLOCK", Waiting: true, PID: 812, Major: 0xfd, Minor: 0x1a, Inode: 42, Start: 10, End: 20},
		"2: OFDLCK ADVISORY  WRITE -1 00:1a:7 1099511627776 1099511627776": {Type: "OFDLCK", Write: true, PID: -1, Minor: 0x1a, Inode: 7, Start: 1 << 40, End: 1 << 40},
		"3: LEASE  ACTIVE    READ  9 00:1a:7 0 EOF":                        {Type: "LEASE", PID: 9, Minor: 0x1a, Inode: 7, End: math.MaxUint64},
	} {
		if l, ok := ParseLock([]byte(text)); !ok || l != want {
			t.Errorf("%q: %+v, %v", text, l, ok)
		}
	}
	for _, text := range []string{"", "1:", "1: ->", "1: POSIX ADVISORY WRITE 812 <none>:0 0 EOF", "1: POSIX ADVISORY WRITE x 08:02:42 0 EOF",
		"1: POSIX ADVISORY WRITE 812 08:02 0 EOF", "1: POSIX ADVISORY WRITE 812 08:02:42 -1 EOF", "1: POSIX ADVISORY WRITE 812 08:02:42 0 end", "1: POSIX ADVISORY WRITE 812 08:02:42 0 EOF more"} {
		if l, ok := ParseLock([]byte(text)); ok {
			t.Errorf("%q is %+v", text, l)
		}
	}
	i, err := ParseFdInfo([]byte("pos:\t64\nflags:\t02100002\nmnt_id:\t15\nino:\t42\nlock:\t1: OFDLCK  ADVISORY  WRITE -1 00:1a:42 0 0\nseals:\t1\n"))
	if err != nil || i.Position != 64 || i.Flags != 0o2100002 || i.Mount != 15 || i.Inode != 42 || len(i.Locks) != 1 || i.Locks[0].End != 0 {
		t.Errorf("%+v, %v", i, err)
	}
	for _, text := range []string{"pos:\tx\n", "flags:\t9\n", "lock:\tx\n", "mnt_id:\t-1\n"} {
		if i, err := ParseFdInfo([]byte(text)); err == nil {
			t.Errorf("%q is %+v", text, i)
		}
	}
}

func TestMountsAreParsed(t *testing.T) {
	m, ok := ParseMount([]byte(`36 35 98:0 /mnt\0401 /a\012b\134 rw,noatime master:1 shared:2 - fuse.x\040y /dev/root rw,size=64k`))
	want := Mount{ID: 36, Parent: 35, Major: 98, Root: "/mnt 1", Point: "/a\nb\\", Options: []string{"rw", "noatime"}, Type: "fuse.x y", Source: "/dev/root", Super: []string{"rw", "size=64k"}}
	if diff := cmp.Diff(want, m); !ok || diff != "" {
		t.Errorf("%v %s", ok, diff)
	}
	for _, text := range []string{"", "-", "36 35 98:0 / / rw", "36 35 98:0 / / rw -", "36 35 98:0 / / rw - a b", "x 35 98:0 / / rw - a b c", "36 35 98 / / rw - a b c"} {
		if m, ok := ParseMount([]byte(text)); ok {
			t.Errorf("%q is %+v", text, m)
		}
	}
}

func TestMeminfoIsParsed(t *testing.T) {
	got := ParseMeminfo([]byte("MemTotal:       16 kB\nHugePages_Total:       7\nnonsense\nX: y\nHuge: 99999999999999999999 kB\n"))
	if want := map[string]uint64{"MemTotal": 16 << 10, "HugePages_Total": 7}; !cmp.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestTablesOfSystemVAreParsedByTheirHeadings(t *testing.T) {
	root := t.TempDir()
	write := func(file, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(root, "sysvipc"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "sysvipc", file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Segments(root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without tables: %v", err)
	}
	write("shm", `       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap
-559038737   41582596  1600                 10000 11576 11577      2     1     2     3     4 1796100302          0 1796100303                  4096                  8192
         0          0   600 99999999999999999999 1 1 0 0 0 0 0 0 0 0 0 0
         0          1   600 1 1 1 0 0 0
         0          2   688 1 1 1 0 0 0 0 0 0 0 0 0 0
         0          -3   600 1 1 1 0 0 0 0 0 0 0 0 0 0
         1          4   600 1 1 1 0 4294967295 0 0 0 0 0 0 0 0
         1          5   600 1 1 1 0 0 0 0 0 0 0 0 0 0`)
	all, err := Segments(root)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	want := Segment{IPC: IPC{Key: 0xdeadbeef, ID: 41582596, Mode: 0o1600, UID: 1, GID: 2, CreatorUID: 3, CreatorGID: 4, Changed: time.Unix(1796100303, 0)},
		Size: 10000, CreatorPID: 11576, LastPID: 11577, Attachments: 2, Attached: time.Unix(1796100302, 0), Resident: 4096, Swapped: 8192, HasResident: true}
	if diff := cmp.Diff(want, all[0]); diff != "" {
		t.Error(diff)
	}
	if all[1].ID != 4 || all[1].UID != math.MaxUint32 || !all[1].Attached.IsZero() {
		t.Errorf("%+v", all[1])
	}
	// Of an old kernel, and with a column nobody knows.
	write("shm", "key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime novel\n1 2 600 3 4 5 6 7 8 9 10 11 12 13 x\n")
	all, err = Segments(root)
	if err != nil || len(all) != 1 || all[0].HasResident || all[0].Attachments != 6 {
		t.Errorf("%+v, %v", all, err)
	}
	write("sem", "key semid perms nsems uid gid cuid cgid otime ctime\n1 2 600 3 4 5 6 7 0 9\n")
	sets, err := SemaphoreSets(root)
	if err != nil || len(sets) != 1 || sets[0].Count != 3 || !sets[0].Operation.IsZero() || sets[0].CreatorGID != 7 {
		t.Errorf("%+v, %v", sets, err)
	}
	write("msg", "key msqid perms cbytes qnum lspid lrpid uid gid cuid cgid stime rtime ctime\n1 2 600 3 4 5 6 7 8 9 10 11 0 13\n")
	queues, err := MessageQueues(root)
	if err != nil || len(queues) != 1 || queues[0].Bytes != 3 || queues[0].Messages != 4 || queues[0].LastReceivePID != 6 || !queues[0].Received.IsZero() {
		t.Errorf("%+v, %v", queues, err)
	}
	write("msg", "")
	if queues, err := MessageQueues(root); err != nil || queues != nil {
		t.Errorf("%+v, %v", queues, err)
	}
}

func TestOtherSmallTexts(t *testing.T) {
	for text, want := range map[string]uint64{"ipc:[4026531839]": 4026531839, "pid:[1]": 1, "": 0, "ipc:[": 0, "ipc:[]": 0, "ipc:[1": 0, "ipc:[x]": 0, "ipc:[18446744073709551616]": 0} {
		if n, err := ParseNamespace([]byte(text)); n != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
	if got := ParseCmdline([]byte("a\x00b c\x00\x00d\x00")); !cmp.Equal(got, []string{"a", "b c", "", "d"}) {
		t.Errorf("%q", got)
	}
	if got := ParseCmdline(nil); got != nil {
		t.Errorf("%q", got)
	}
	for text, want := range map[string]struct {
		name    string
		deleted bool
	}{`/a\012b (deleted)`: {"/a\nb", true}, "/a (deleted)x": {"/a (deleted)x", false}, "": {"", false}, " (deleted)": {"", true}} {
		if name, deleted := Path([]byte(text)); name != want.name || deleted != want.deleted {
			t.Errorf("%q: %q, %v", text, name, deleted)
		}
	}
	if !Gone(syscall.ESRCH) || !Gone(syscall.ENOENT) || Gone(syscall.EACCES) || !Refused(syscall.EACCES) || !Refused(syscall.EPERM) || Refused(nil) {
		t.Error("errors")
	}
}
