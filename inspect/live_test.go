package inspect_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

func TestASegmentIsFoundWithWhoHasIt(t *testing.T) {
	seg := newSegment(t)
	id := fmt.Sprint(seg.ID())
	s := take(t, nil)
	o := only(t, s, inode("sysv", uint64(seg.ID())))
	if o.Use != inspect.Unused || o.Address != "sysv:id="+id || o.CreatorPID != os.Getpid() || o.Segment.Attachments != 0 || o.Allocated.Bytes != 0 {
		t.Errorf("%+v", o)
	}
	writer, _ := says(t, "segment", id, "w")
	reader, _ := says(t, "segment", id, "r")
	o = only(t, take(t, nil), inode("sysv", uint64(seg.ID())))
	wantPIDs(t, &o, writer, reader)
	wantWriterAndReader(t, &o, writer, reader)
	if o.Segment.Attachments != 2 || o.Segment.Unseen != 0 || o.Removed || o.LastPID != reader.Pid() || o.Attached.IsZero() {
		t.Errorf("%+v, %+v", o, *o.Segment)
	}
	ok(t, seg.Remove())
	o = only(t, take(t, nil), inode("sysv", uint64(seg.ID())))
	if !o.Removed || o.Use != inspect.Used {
		t.Errorf("removed while it is attached: %+v", o)
	}
	writer.Kill()
	reader.Kill()
	if all := listed(t, take(t, nil), inode("sysv", uint64(seg.ID()))); len(all) != 0 {
		t.Errorf("it is there after its last user: %v", all)
	}
}

func TestOwnAttachmentDoesNotKeepASegmentInUse(t *testing.T) {
	seg := newSegment(t)
	m, err := seg.Attach(nil)
	ok(t, err)
	defer m.Close()
	o, err := take(t, nil).Object(fmt.Sprintf("sysv:id=%d", seg.ID()))
	ok(t, err)
	if o.Use != inspect.Unused || len(o.Users) != 1 || !o.Users[0].Self || o.Segment.Attachments != 1 {
		t.Errorf("%+v", o)
	}
}

func TestSemaphoresAndMessageQueuesAreFound(t *testing.T) {
	sem, err := sysv.CreateSemaphores(sysv.Private, 3, 0o640)
	ok(t, err)
	defer sem.Remove()
	q, err := sysv.CreateQueue(sysv.Private, 0o600)
	ok(t, err)
	defer q.Remove()
	ok(t, q.TrySend(1, []byte("hello")))
	s := take(t, nil)
	o := only(t, s, func(o *inspect.Object) bool { return o.Kind == "sem" && o.IPC == sem.ID() })
	if o.SemaphoreSet.Count != 3 || o.Mode != 0o640 || o.UID != uint32(os.Geteuid()) || o.Use != inspect.Unknown || o.UseWhy == "" {
		t.Errorf("%+v, %+v", o, *o.SemaphoreSet)
	}
	o = only(t, s, func(o *inspect.Object) bool { return o.Kind == "msg" && o.IPC == q.ID() })
	if o.MessageQueue.Messages != 1 || o.MessageQueue.Bytes != 5 || o.MessageQueue.LastSendPID != os.Getpid() || o.MessageQueue.Sent.IsZero() {
		t.Errorf("%+v, %+v", o, *o.MessageQueue)
	}
}

func TestAPOSIXObjectIsFoundWithWhoHasIt(t *testing.T) {
	path, name := shmFile(t)
	st := statOf(t, path)
	is := inode("posix", st.Ino)
	s := take(t, nil)
	o := only(t, s, is)
	wantUnused(t, s, &o)
	if o.Address != "posix:/"+name || o.Path != path || o.Name != "/"+name || o.Mode != 0o644 || o.Allocated.Bytes != 0 {
		t.Errorf("%+v", o)
	}
	writer, _ := says(t, "file", path, "w")
	reader, fd := says(t, "file", path, "r", "keep")
	o = only(t, take(t, nil), is)
	wantPIDs(t, &o, writer, reader)
	wantWriterAndReader(t, &o, writer, reader)
	if o.Locked.Unknown == "" && o.Locked.Bytes < uint64(touched*page) {
		t.Errorf("locked %v", o.Locked)
	}
	if r := userOf(t, &o, reader.Pid()); fmt.Sprint(r.Descriptors) != "["+fd[0]+"]" {
		t.Errorf("the reader has descriptors %v, expected %s", r.Descriptors, fd[0])
	}
	writer.Kill()
	reader.Kill()

	// Nobody maps it, but somebody has it open.
	holder, fd := says(t, "holds", path)
	o = only(t, take(t, nil), is)
	if u := userOf(t, &o, holder.Pid()); o.Use != inspect.Used || u.Mapped != 0 || fmt.Sprint(u.Descriptors) != "["+fd[0]+"]" {
		t.Errorf("%v: %s; %+v", o.Use, o.UseWhy, u)
	}
	ok(t, os.Remove(path))
	o = only(t, take(t, nil), is)
	if want := fmt.Sprintf("file:/proc/%d/fd/%s", holder.Pid(), fd[0]); o.Address != want || !o.Removed || o.Path != "" || o.Name != "/"+name {
		t.Errorf("without its name it is %+v, expected %s", o, want)
	}
}

func TestACopyIsNoPartOfTheObject(t *testing.T) {
	path, _ := shmFile(t)
	st := statOf(t, path)
	private := startMapper(t, "private", path)
	private.touch("write", 0, 1)
	o := only(t, take(t, nil), inode("posix", st.Ino))
	u := userOf(t, &o, private.Pid())
	if u.Shared || u.Writable || u.Mapped != uint64(pages*page) || u.Resident != (inspect.Amount{}) || o.Locked.Bytes != 0 {
		t.Errorf("%+v, %v", u, o.Locked)
	}
}

func TestAnObjectWithoutItsNameIsFoundWhereItIsMapped(t *testing.T) {
	path, _ := shmFile(t)
	st := statOf(t, path)
	writer, _ := says(t, "file", path, "w")
	ok(t, os.Remove(path))
	o := only(t, take(t, nil), inode("posix", st.Ino))
	u := userOf(t, &o, writer.Pid())
	if want := fmt.Sprintf("map:%d/%x", writer.Pid(), u.Ranges[0].Start); o.Address != want || !o.Removed || o.Use != inspect.Used || len(u.Descriptors) != 0 {
		t.Errorf("%+v, expected %s", o, want)
	}
	if o.Size != uint64(pages*page) {
		t.Errorf("size %d", o.Size)
	}
}

func TestAMemfdIsOneObjectWhoeverHasIt(t *testing.T) {
	for _, how := range []string{"map", "hold", "both"} {
		maker, line := says(t, "memfd", how+"\nx", how)
		ino, err := strconv.ParseUint(line[1], 10, 64)
		ok(t, err)
		is := inode("memfd", ino)
		o := only(t, take(t, nil), is)
		wantPIDs(t, &o, maker)
		want := fmt.Sprintf("memfd:%d/%s", maker.Pid(), line[0])
		if how == "map" {
			want = fmt.Sprintf("map:%d/%x", maker.Pid(), o.Users[0].Ranges[0].Start)
		}
		if o.Address != want || o.Use != inspect.Used || o.Name != how+"\nx" || o.Size != uint64(pages*page) || !o.Removed {
			t.Errorf("%s: %+v, expected %s", how, o, want)
		}
		if how == "map" {
			continue
		}
		if o.Memfd.SealsUnknown != "" || o.Memfd.Seals.String() == "" {
			t.Errorf("%s: seals %v, %s", how, o.Memfd.Seals, o.Memfd.SealsUnknown)
		}
		other, _ := says(t, "file", fmt.Sprintf("/proc/%d/fd/%s", maker.Pid(), line[0]), "w", "keep")
		o = only(t, take(t, nil), is)
		wantPIDs(t, &o, maker, other)
	}
}

func TestMemoryWithoutANameIsFound(t *testing.T) {
	maker, line := says(t, "anon")
	want := fmt.Sprintf("map:%d/%s", maker.Pid(), line[0])
	s := take(t, nil)
	o := only(t, s, func(o *inspect.Object) bool { return o.Address == want })
	wantPIDs(t, &o, maker)
	if o.Kind != "map" || o.Size != uint64(pages*page) || o.Use != inspect.Used || o.Users[0].Resident.Bytes < uint64(touched*page) {
		t.Errorf("%+v", o)
	}
	if o.Resident.Unknown == "" && o.Resident.Bytes < uint64(touched*page) {
		t.Errorf("resident %v", o.Resident)
	}
	// Through the mapping of the first one a second one can have it, if the kernel allows that.
	u := o.Users[0]
	way := fmt.Sprintf("/proc/%d/map_files/%x-%x", maker.Pid(), u.Ranges[0].Start, u.Ranges[0].End)
	if f, err := os.Open(way); err != nil {
		t.Logf("shared by one process only: %v", err)
		return
	} else {
		f.Close()
	}
	if o.Resident.Unknown != "" {
		t.Errorf("resident %v", o.Resident)
	}
	other, _ := says(t, "file", way, "w")
	o = only(t, take(t, nil), func(o *inspect.Object) bool { return o.ID == only(t, s, inAddress(want)).ID })
	wantPIDs(t, &o, maker, other)
}

func inAddress(address string) func(*inspect.Object) bool {
	return func(o *inspect.Object) bool { return o.Address == address }
}

func TestAFileIsAnObjectIfItIsMappedSharedToWriteOrByTwo(t *testing.T) {
	path := fileOf(t, t.TempDir(), "data")
	is := inode("file", statOf(t, path).Ino)
	none := func(when string) {
		t.Helper()
		if all := listed(t, take(t, nil), is); len(all) != 0 {
			t.Errorf("%s: it is listed: %v", when, all)
		}
	}
	none("nobody maps it")
	s := take(t, nil)
	o, err := s.Object("file:" + path)
	ok(t, err)
	wantUnused(t, s, &o)
	reader, _ := says(t, "file", path, "r")
	none("one reads it")
	second, _ := says(t, "file", path, "r", "keep")
	o = only(t, take(t, nil), is)
	wantPIDs(t, &o, reader, second)
	if o.Address != "file:"+path || o.Path != path || userOf(t, &o, second.Pid()).Descriptors == nil {
		t.Errorf("%+v", o)
	}
	reader.Kill()
	second.Kill()
	writer, fd := says(t, "file", path, "w", "keep")
	o = only(t, take(t, nil), is)
	wantPIDs(t, &o, writer)
	ok(t, os.Remove(path))
	o = only(t, take(t, nil), is)
	if u := userOf(t, &o, writer.Pid()); fmt.Sprint(u.Descriptors) != "["+fd[0]+"]" {
		t.Errorf("the writer has descriptors %v, expected %s", u.Descriptors, fd[0])
	}
	if !o.Removed || o.Path != "" || o.Name != path || o.Use != inspect.Used {
		t.Errorf("without its name it is %+v", o)
	}
	if _, err := take(t, nil).Object("file:" + path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("by its name: %v", err)
	}
}

func TestAFileMayBeCalledDeleted(t *testing.T) {
	path := fileOf(t, t.TempDir(), "data (deleted)")
	writer, _ := says(t, "file", path, "w")
	o := only(t, take(t, nil), inode("file", statOf(t, path).Ino))
	wantPIDs(t, &o, writer)
	if o.Removed || o.Path != path || o.Address != "file:"+path {
		t.Errorf("%+v", o)
	}
}

func TestAProcessWithoutItsMainThreadIsSeen(t *testing.T) {
	path, _ := shmFile(t)
	p, fd := says(t, "headless", path)
	testenv.Eventually(t, "the main thread has ended", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.Pid()))
		return err != nil || len(text) == 0
	})
	s := take(t, nil)
	o := only(t, s, inode("posix", statOf(t, path).Ino))
	wantPIDs(t, &o, p)
	if u := o.Users[0]; fmt.Sprint(u.Descriptors) != "["+fd[0]+"]" || u.Mapped != uint64(pages*page) {
		t.Errorf("%+v", u)
	}
}

func TestObjectsOfShmkitAreToldWithTheirMembers(t *testing.T) {
	dir := filepath.Join("/dev/shm", testenv.Name(t))
	ok(t, os.Mkdir(dir, 0o700))
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	p, _ := says(t, "member", dir)
	options := &inspect.Options{Dir: dir}
	s := take(t, options)
	all := map[string]inspect.Object{}
	for _, o := range listed(t, s, func(o *inspect.Object) bool { return filepath.Dir(o.Path) == dir }) {
		all[o.Address] = o
		wantPIDs(t, &o, p)
		if o.Err != nil || o.Use != inspect.Used || o.UseWhy != "the lifeline of 1 member is held" || o.Shared == nil || o.Shared.Alive == 0 || o.Created.IsZero() || o.Shared.Members[0].PID != p.Pid() {
			t.Errorf("%+v, %+v", o, o.Shared)
		}
		if o.Resident.Unknown != "" || o.Resident.Bytes == 0 || o.Resident.Bytes+o.Swapped.Bytes != o.Allocated.Bytes {
			t.Errorf("%s: allocated %v, resident %v, swapped %v", o.Address, o.Allocated, o.Resident, o.Swapped)
		}
	}
	lock, work, news := all["lock:lock"], all["queue:work"], all["topic:news"]
	if len(all) != 3 || lock.Shared == nil || work.Shared == nil || news.Shared == nil {
		t.Fatalf("%d objects: %v", len(all), all)
	}
	if h := lock.Shared.Holders; lock.Shared.State != "held" || len(h) != 1 || lock.Shared.Members[h[0].Member].PID != p.Pid() {
		t.Errorf("lock: %+v", lock.Shared)
	}
	if work.Shared.Depth != 3 || work.Shared.Queue == nil {
		t.Errorf("queue: %+v", work.Shared)
	}
	if news.Shared.Topic == nil || news.Shared.Topic.Publishers != 1 || news.Size <= uint64(news.Shared.Topic.Size) {
		t.Errorf("topic of %d bytes: %+v", news.Size, news.Shared)
	}
	if o, err := s.Object("queue:work"); err != nil || o.Shared == nil || o.Shared.Depth != 3 || o.Users[0].Resident.Unknown != "" {
		t.Errorf("%+v, %v", o, err)
	}
	p.Kill()
	for _, o := range listed(t, take(t, options), func(o *inspect.Object) bool { return filepath.Dir(o.Path) == dir }) {
		if o.Use != inspect.Unused || len(o.Users) != 0 || o.Shared.Alive != 0 {
			t.Errorf("after its only member: %+v, %+v", o, o.Shared)
		}
		if o.Kind == "lock" && (o.Shared.State != "owner dead" || len(o.Shared.Holders) != 1) {
			t.Errorf("lock of the dead: %+v", o.Shared)
		}
	}
}

func TestWhatIsNoFileInTheDirectoryOfObjectsIsNoObject(t *testing.T) {
	dir := t.TempDir()
	odd(t, dir)
	ok(t, os.MkdirAll(filepath.Join(dir, "sub", "deeper"), 0o700))
	deep, plain := fileOf(t, filepath.Join(dir, "sub", "deeper"), "deep"), fileOf(t, dir, "plain\n\x1b[2J")
	all := listed(t, take(t, &inspect.Options{Shm: dir, Kinds: []string{"posix", "file"}}), func(o *inspect.Object) bool { return strings.HasPrefix(o.Path, dir) })
	if len(all) != 2 || all[0].Path != plain || all[0].Kind != "posix" || all[1].Path != deep || all[1].Kind != "file" {
		t.Errorf("%v", all)
	}
}
