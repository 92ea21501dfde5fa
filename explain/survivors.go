package explain

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/shmkit/shmkit/internal/live"
	"github.com/shmkit/shmkit/internal/model"
	"github.com/shmkit/shmkit/internal/sys"
)

// The second half of backing: what is left when processes end, when it is removed, and
// when the machine starts anew.

func runSurvivors(x *lab, st *stage, segment, posix, memfd, anonymous, onDisk *backed) {
	st.end(note{title: "A is killed", quiet: true, why: "B has all of it still mapped, but for the anonymous memory, which was A's alone."}, "A")
	st.end(note{title: "B is killed, too", quiet: true, why: "Nobody has any of it mapped or open now. The segment is there, with nattch=0: nobody asked it to go."}, "B")
	want := []expectation{
		expect(factSegmentMemory, is, pageBytes), expect("first byte of "+posix.what, is, 9),
		expect("who has "+memfd.what, is, "nobody"), expect("who has "+anonymous.what, is, "nobody"),
	}
	if onDisk != nil {
		want = append(want, expect("first byte of "+onDisk.what, is, 9))
	}
	x.step(plan{
		who: "the experiment", title: "What can be found of it",
		call:   "cat /proc/sysvipc/shm; read the files; look for the others in /proc/PID/maps and /proc/PID/fd",
		why:    "What has a name stays, with all that was stored. What nobody has and nobody can find is gone: its frames are free. A file and a POSIX object are alike here: neither needs a process.",
		expect: want,
	}, func(s *step) {
		for _, k := range []*backed{posix, onDisk} {
			if k != nil {
				b, err := firstByte(k.path)
				x.check(err)
				s.show("first byte of "+k.what, b, k.path)
			}
		}
		for _, k := range []*backed{memfd, anonymous} {
			who := "nobody"
			if n := st.holders(k.id); n > 0 {
				who = fmt.Sprintf("%d processes", n)
			}
			s.show("who has "+k.what, who, "/proc/PID/maps and fd, without "+k.id.device+" "+k.id.inode)
		}
		showSegment(s, st.cast.ID("s0"))
	})
	st.do(note{title: "A new process attaches the segment", quiet: true, why: "By its id, which is in /proc/sysvipc/shm for everybody to see."}, "A shmat id=s0 addr=0")
	st.do(note{title: "It loads what the dead had stored", faults: true, why: "The memory has outlived its processes. That is what leaks look like, too."}, "A load addr=0")
	st.do(note{title: "It detaches", quiet: true, why: "nattch=0 again, and again the segment stays."}, "A shmdt addr=0")
	st.do(note{title: "It removes the segment", why: "Only this frees it: shmctl(IPC_RMID), or ipcrm. Nobody has it attached, so it goes at once."}, "A rmid id=s0")
	x.step(plan{
		who: "the experiment", title: "The names are removed", call: fmt.Sprintf("shm_unlink(%q); unlink(…)", "/"+filepath.Base(posix.path)),
		why:    "Nobody has them open, so they go at once, with their pages and blocks.",
		expect: removed(posix, onDisk),
	}, func(s *step) {
		for _, k := range []*backed{posix, onDisk} {
			if k != nil {
				x.check(os.Remove(k.path))
				_, err := os.Stat(k.path)
				s.show("name of "+k.what, existence(err), "stat("+k.path+")")
			}
		}
	})
}

func removed(all ...*backed) (list []expectation) {
	for _, k := range all {
		if k != nil {
			list = append(list, expect("name of "+k.what, is, "gone"))
		}
	}
	return list
}

func existence(err error) string {
	switch {
	case err == nil:
		return "there"
	case errors.Is(err, os.ErrNotExist):
		return "gone"
	}
	return err.Error()
}

func firstByte(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	b, err := bufio.NewReader(f).ReadByte()
	return int(b), err
}

// showSegment shows where the pages of a segment are.
func showSegment(s *step, id int) {
	memory, swap, err := live.SegmentMemory(id)
	s.lab.check(err)
	s.show(factSegmentMemory, memory+swap, fmt.Sprintf("/proc/sysvipc/shm, rss %d and swap %d", memory, swap))
}

const factSegmentMemory = "bytes of the segment in memory or on the swap device"

// runRestart tells what a restart would leave, and shows why.
func runRestart(x *lab, fs fileSystem, all ...*backed) {
	const (
		shm  = "device of /dev/shm"
		disk = "device of the file"
		left = "left after a restart"
	)
	kept := "nothing of the others, and the file if it was written back"
	if !fs.disk {
		kept = "nothing"
	}
	want := []expectation{}
	for _, k := range all {
		if k != nil && !k.disk {
			want = append(want, expect("device of "+k.what, is, "none"))
		}
	}
	want = append(want, expect(shm, is, "none"))
	if fs.disk {
		want = append(want, expect(disk, is, "yes"))
	}
	want = append(want, expect(left, is, kept))
	x.step(plan{
		who: "the machine", title: "What a restart would leave", call: "(reboot)", expect: want,
		why: "All but the file are on tmpfs, a file system in memory: what /dev/shm shows, and one that is mounted nowhere for the rest. Device numbers that begin with 00 are of no device. Their pages may be swapped out, but nobody reads swap of the time before. A file has blocks on a device.",
	}, func(s *step) {
		for _, k := range all {
			if k != nil && !k.disk {
				s.show("device of "+k.what, deviceBehind(k.id.device), "/proc/PID/maps: "+k.id.String())
			}
		}
		mem, err := fileSystemAt("/dev/shm")
		x.check(err)
		s.show(shm, mem.behind(), "/proc/self/mountinfo: "+mem.String())
		if fs.disk {
			s.show(disk, fs.behind(), "/proc/self/mountinfo: "+fs.String())
		}
		s.unseen(left, "told, and not shown", "")
	})
}

// deviceBehind reads a device number of maps, "fe:01". Those without a device have 00 as
// their first one.
func deviceBehind(number string) string {
	if strings.HasPrefix(number, "00:") {
		return "none"
	}
	return "yes"
}

// behind tells whether a file system has a device.
func (f fileSystem) behind() string {
	if f.disk {
		return "yes"
	}
	return "none"
}

// refused begins the answer of a process that could not do what it was told; what follows
// is why.
const refused = "refused: "

// secondRole maps what it is told the path of, and answers with the first byte and the
// frame, or why not.
func secondRole(a *actor) error {
	for {
		path, err := a.hear()
		if err != nil {
			return err
		}
		answer, err := mapSecond(path)
		if err != nil {
			answer = refused + err.Error()
		}
		if err := a.say("%s", answer); err != nil {
			return err
		}
	}
}

func mapSecond(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return "", errors.Unwrap(err)
	}
	defer f.Close()
	addr := uintptr(live.Address(0))
	const flags = sys.MAP_SHARED | sys.MAP_FIXED_NOREPLACE
	if _, err := sys.Mmap(addr, model.PageSize, sys.PROT_READ|sys.PROT_WRITE, flags, int(f.Fd()), 0); err != nil {
		return "", err
	}
	value := sys.Bytes(addr, 1)[0]
	table, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return "", err
	}
	defer table.Close()
	e, err := live.ReadEntry(table, 0)
	return fmt.Sprintf("%d %d", value, e.Frame()), err
}
