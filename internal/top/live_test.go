package top

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/topic"
)

func TestMain(m *testing.M) {
	testenv.Main(m, map[string]testenv.Role{"user": userRole})
}

// userRole uses one of each in a directory, and a POSIX object: it holds a lock, and for
// each line it hears it publishes seven messages, pushes three items, and touches a page
// more of the object.
func userRole(args []string) (err error) {
	dir, path := args[0], args[1]
	ctx := context.Background()
	p, err := topic.NewBytesPublisher("news", &topic.Options{Dir: dir})
	if err != nil {
		return err
	}
	q, err := queue.OpenBytes("jobs", &queue.Options{Dir: dir})
	if err != nil {
		return err
	}
	m, err := pshared.OpenMutex("door", &pshared.Options{Dir: dir})
	if err != nil {
		return err
	}
	f, err := filemap.Open(path, &filemap.Options{Writable: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), m.Close(), q.Close(), p.Close()) }()
	if err := m.Lock(ctx); err != nil {
		return err
	}
	for page := int64(0); ; page++ {
		if err := testenv.Say("done"); err != nil {
			return err
		}
		if _, err := testenv.Hear(); err != nil {
			return m.Unlock()
		}
		for range 7 {
			if err := p.Send(ctx, []byte("x")); err != nil {
				return err
			}
		}
		for range 3 {
			if err := q.Push(ctx, []byte("x")); err != nil {
				return err
			}
		}
		if _, err := f.WriteAt([]byte("x"), page*int64(os.Getpagesize())); err != nil {
			return err
		}
	}
}

// sparse makes a POSIX object of pages that are not there.
func sparse(t testing.TB, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		err = errors.Join(f.Truncate(64*int64(os.Getpagesize())), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func sampled(t testing.TB, l *Live) *Sample {
	t.Helper()
	s, err := l.Sample(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range s.Problems {
		t.Logf("not told: %s", p)
	}
	return s
}

func TestLiveTellsWhatChanges(t *testing.T) {
	dir := filepath.Join("/dev/shm", testenv.Name(t))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	name := testenv.Name(t)
	path := filepath.Join("/dev/shm", name)
	sparse(t, path)
	mine, err := os.Open(path) // who looks is no user
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	user := testenv.Start(t, "user", dir, path)
	user.Expect("done")
	l := &Live{Options: inspect.Options{Dir: dir}}
	before := sampled(t, l)
	user.Send("go on")
	user.Expect("done")
	f := Compare(before, sampled(t, l))

	times := func(r Rate) int {
		if !r.Known {
			return -1
		}
		return int(math.Round(r.PerSecond * f.Interval.Seconds()))
	}
	page := os.Getpagesize()
	object, news, jobs, door := row(t, f, "posix:/"+name), row(t, f, "topic:news"), row(t, f, "queue:jobs"), row(t, f, "lock:door")
	if object.Resident != Of(page) || times(object.Change) != page || object.Size != uint64(64*page) {
		t.Errorf("the object: %+v", object)
	}
	if n := times(object.Faults); n < 1 {
		t.Errorf("its process had %d page faults", n)
	}
	if n := times(news.Messages); n != 7 || news.Sent != Of(7) {
		t.Errorf("%d messages were published: %+v", n, news)
	}
	if n := times(jobs.Messages); n != 3 || jobs.Depth != Of(3) {
		t.Errorf("%d items were pushed: %+v", n, jobs)
	}
	if door.Holders != Of(1) || door.Waiters != Of(0) || door.Messages.Known {
		t.Errorf("the lock: %+v", door)
	}
	for _, r := range []Row{object, news, jobs, door} {
		if !slices.Equal(r.Users, []int{user.Pid()}) || r.Command == "" {
			t.Errorf("%s is used by %v, %q", r.Address, r.Users, r.Command)
		}
	}

	// Another object of that name.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	sparse(t, path)
	later := Compare(before, sampled(t, l))
	if r := row(t, later, "posix:/"+name); r.Change.Known || len(r.Users) != 0 {
		t.Errorf("another one has a rate, or users: %+v", r)
	}

	// Who holds the lock dies.
	user.Kill()
	later = Compare(before, sampled(t, l))
	if r := row(t, later, "lock:door"); !slices.Contains(r.Marks, "broken") || r.Faults.Known {
		t.Errorf("the lock of a dead one: %+v", r)
	}
}

func TestLiveIsOfTheKindsThatAreWanted(t *testing.T) {
	sparse(t, filepath.Join("/dev/shm", testenv.Name(t)))
	l := &Live{Options: inspect.Options{Kinds: []string{"posix"}}}
	if kinds := Compare(nil, sampled(t, l)).Kinds(); !slices.Equal(kinds, []string{"posix"}) {
		t.Errorf("%v", kinds)
	}
}

func TestLiveLooksIntoWhatWasSampledLast(t *testing.T) {
	name := testenv.Name(t)
	sparse(t, filepath.Join("/dev/shm", name))
	l := &Live{Tell: func(_ context.Context, s *inspect.Snapshot, address string) ([]string, error) {
		o, err := s.Object(address)
		return []string{o.Address}, err
	}}
	i := row(t, Compare(nil, sampled(t, l)), "posix:/"+name).Item
	if lines, err := l.Look(t.Context(), i); err != nil || !slices.Equal(lines, []string{i.Address}) {
		t.Errorf("%q, %v", lines, err)
	}
	if err := os.Remove(filepath.Join("/dev/shm", name)); err != nil {
		t.Fatal(err)
	}
	if lines, err := l.Look(t.Context(), i); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of what has gone: %q, %v", lines, err)
	}
}

func TestASampleEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := fmt.Errorf("that is why")
	cancel(why)
	if s, err := (&Live{}).Sample(ctx); !errors.Is(err, why) && !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", s, err)
	}
}
