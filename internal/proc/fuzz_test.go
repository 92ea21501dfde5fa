package proc

import (
	"bytes"
	"testing"
)

// Whatever the text is, parsing ends without a panic, and what comes out of it holds what its type promises.

func FuzzMaps(f *testing.F) {
	f.Add([]byte("00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/dbus daemon\n7f0000000000-7f0000001000 rw-s 00001000 fd:1a 42         /var/data\\012x (deleted)\n1-2"))
	f.Fuzz(func(t *testing.T, text []byte) {
		err := linesIn(string(text), 13, mapsParser(func(m *Map) bool {
			if m.End < m.Start || bytes.ContainsRune(m.Path, '\n') {
				t.Errorf("%+v", m)
			}
			if name, deleted := Path(m.Path); len(name) > len(m.Path) || deleted && len(m.Path) == len(name) {
				t.Errorf("%q is %q", m.Path, name)
			}
			return true
		}))
		if err != nil {
			t.Error(err)
		}
	})
}

func FuzzSmaps(f *testing.F) {
	f.Add([]byte("7f00-7f10 rw-s 00000000 00:01 42  /memfd:a (deleted)\nRss: 12 kB\nVmFlags: rd wr lo \n7f10-7f20 r--p 00000000 00:00 0 \nRss: 4 kB\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		began := 0
		parser := smapsParser{f: func(s *Smaps) bool {
			began++
			if s.End < s.Start || s.HasFlag("") {
				t.Errorf("%+v", s)
			}
			return true
		}}
		if err := linesIn(string(text), 29, parser.line); err != nil {
			t.Error(err)
		}
		parser.end()
		lines := 0
		_ = linesIn(string(text), 31, func(line []byte) bool { lines++; return true })
		if began > lines {
			t.Errorf("%d mappings in %d lines", began, lines)
		}
	})
}

func FuzzStatus(f *testing.F) {
	f.Add([]byte("Name:\tx\nState:\tS (sleeping)\nUid:\t1000\t1001\t1002\t1003\nThreads:\t5\nVmLck:\t64 kB\nNSpid:\t700\t2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := ParseStatus(text); err == nil && (s.Threads < 0 || len(s.PIDs) > len(text)) {
			t.Errorf("%+v", s)
		}
	})
}

func FuzzStat(f *testing.F) {
	f.Add([]byte("812 (a ) b) S 1 2 3 4 5 6 77 8 99 10 11 12 13 14 15 16 17 18 123456789 20 21\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := ParseStat(text); err != nil && s != (Stat{}) {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func FuzzTables(f *testing.F) {
	f.Add([]byte("key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime rss swap\n-1 2 600 3 4 5 6 7 8 9 10 11 12 13 14 15\n"))
	f.Add([]byte("key semid perms nsems uid gid cuid cgid otime ctime\n1 2 600 3 4 5 6 7 8 9\n"))
	f.Add([]byte("key msqid perms cbytes qnum lspid lrpid uid gid cuid cgid stime rtime ctime\n1 2 600 3 4 5 6 7 8 9 10 11 12 13\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		check := func(c IPC, ok bool) {
			if ok && c.ID < 0 {
				t.Errorf("%+v", c)
			}
		}
		for _, parse := range []func(r *row){
			func(r *row) { s, ok := r.segment(); check(s.IPC, ok) },
			func(r *row) { s, ok := r.semaphores(); check(s.IPC, ok) },
			func(r *row) { q, ok := r.queue(); check(q.IPC, ok) },
		} {
			p := tableParser{f: parse}
			if err := linesIn(string(text), 50, p.line); err != nil {
				t.Error(err)
			}
		}
	})
}

func FuzzLocks(f *testing.F) {
	f.Add([]byte("1: -> POSIX  ADVISORY  WRITE 812 08:02:42 0 EOF"))
	f.Add([]byte("pos:\t64\nflags:\t02100002\nmnt_id:\t15\nlock:\t1: OFDLCK  ADVISORY  WRITE -1 00:1a:42 0 0\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if l, ok := ParseLock(text); ok && l.PID < -1 {
			t.Errorf("%+v", l)
		}
		if i, err := ParseFdInfo(text); err == nil && i.Mount < 0 {
			t.Errorf("%+v", i)
		}
	})
}

func FuzzMounts(f *testing.F) {
	f.Add([]byte(`36 35 98:0 /mnt\0401 /a\012b\134 rw,noatime master:1 - fuse.x /dev/root rw,size=64k`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if m, ok := ParseMount(text); ok && (len(m.Point) > len(text) || m.ID < 0) {
			t.Errorf("%+v", m)
		}
		for name := range ParseMeminfo(text) {
			if !bytes.Contains(text, []byte(name)) {
				t.Errorf("%q is not in %q", name, text)
			}
		}
		_, _ = ParseNamespace(text)
		if args := ParseCmdline(text); len(args) > len(text) {
			t.Errorf("%d arguments", len(args))
		}
	})
}
