package topic_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

var _ = addRoles(map[string]shmtest.Role{
	"founder": found, "last publisher": inTopic(publishAndDie[note, *note]), "last publisher in chunks": inTopic(publishAndDie[frame, *frame]),
})

// found makes the topic, or opens it, publishes, reads and closes, until it is dismissed.
func found(args []string) error {
	for !dismissed() {
		t, err := topic.OpenOrCreate[note]("news", &topic.Options{Dir: args[0], Publishers: 16})
		if err != nil {
			return err
		}
		s, err := t.Subscriber(&topic.SubscriberOptions{BestEffort: true, History: -1})
		if err != nil {
			return err
		}
		p, err := t.Publisher()
		if err != nil {
			return err
		}
		var m note
		if err := p.TrySend(&m); err != nil {
			return err
		}
		if _, err := s.TryRead(&m); err != nil {
			return err
		}
		if err := errors.Join(p.Close(), s.Close(), t.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Whoever makes the topic, or is the last to have it, is killed at any moment: the name can be used
// at once, and in the end nothing is left.
func TestFoundersAndTheLastAreKilled(t *testing.T) {
	dir := shmtest.Dir(t)
	kills := 30
	if shmtest.Soaking() {
		kills = 2000
	}
	for living := 1; living <= 3; living += 2 { // alone, it is the founder and the last
		shmtest.RandomKills(t, &shmtest.RandomOptions{Living: living, Kills: kills}, func(int) *shmtest.Proc {
			return shmtest.Start(t, "founder", dir)
		})
		must(t, found0(dir))
	}
}

// found0 uses the name once.
func found0(dir string) error {
	t, err := topic.OpenOrCreate[frame]("news", &topic.Options{Dir: dir}) // which is another one's type
	if err != nil {
		return err
	}
	return t.Close()
}

// publishAndDie publishes so many messages, and is killed in the middle of the next batch.
func publishAndDie[T any, M message[T]](t *topic.Topic[T], args []string) error {
	p, err := t.Publisher()
	if err != nil {
		return err
	}
	n := numbers(args)[0]
	for k := range n {
		var m T
		M(&m).set(k + 1)
		if err := p.TrySend(&m); err != nil {
			return err
		}
	}
	topic.SetPoint(func(name string) {
		if midBatch(name) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	_, err = p.TrySendBatch(make([]T, 3))
	return err
}

// A persistent topic keeps its history when everybody who had it open is dead.
func TestHistoryOutlivesEverybody(t *testing.T) {
	both(t, historyOutlives[note, *note]("last publisher"), historyOutlives[frame, *frame]("last publisher in chunks"))
}

func historyOutlives[T any, M message[T]](role string) func(t *testing.T) {
	return func(t *testing.T) {
		dir := shmtest.Dir(t)
		o := topic.Options{Dir: dir, Depth: 10, History: 6, Publishers: 1, Persistent: true}
		first, err := topic.Create[T]("news", &o)
		must(t, err)
		must(t, first.Close())
		t.Cleanup(func() { must(t, topic.Remove("news", dir)) })
		p := shmtest.Start(t, role, dir, "20")
		if sig := p.ExitSignal(); sig != syscall.SIGKILL {
			t.Fatalf("%v\n%s", p.Wait(), p.Stderr())
		}
		t.Run("later", func(t *testing.T) {
			w := newWorld[T, M](t, topic.Options{Dir: dir})
			w.receive(w.subscriber(topic.SubscriberOptions{}), 15, 20)
			q := w.publisher()
			if q.Tail() != 20 {
				t.Errorf("the last message is number %d", q.Tail())
			}
			w.send(q, 21, 22)
			w.receive(w.subscriber(topic.SubscriberOptions{BestEffort: true}), 17, 22)
		})
	}
}

func TestAnotherTypeIsRefusedByBothNames(t *testing.T) {
	w := newWorld[note, *note](t, topic.Options{})
	_, err := topic.Open[frame]("news", &topic.Options{Dir: w.dir})
	if !errors.Is(err, topic.ErrType) || !strings.Contains(err.Error(), "topic_test.note") || !strings.Contains(err.Error(), "topic_test.frame") {
		t.Errorf("%v", err)
	}
	_, err = topic.OpenOrCreateBytes("news", &topic.Options{Dir: w.dir})
	if !errors.Is(err, topic.ErrType) || !strings.Contains(err.Error(), "topic_test.note") || !strings.Contains(err.Error(), "[]uint8") {
		t.Errorf("%v", err)
	}
}

func TestFullTablesSayWhatToChange(t *testing.T) {
	w := newWorld[note, *note](t, topic.Options{Publishers: 2, Subscribers: 3})
	for range 2 {
		w.publisher()
	}
	for range 3 {
		w.subscriber(topic.SubscriberOptions{})
	}
	if _, err := w.topic.Publisher(); !errors.Is(err, topic.ErrPublishers) || !strings.Contains(err.Error(), "Options.Publishers") {
		t.Errorf("%v", err)
	}
	if _, err := w.topic.Subscriber(nil); !errors.Is(err, topic.ErrSubscribers) || !strings.Contains(err.Error(), "Options.Subscribers") {
		t.Errorf("%v", err)
	}
	for range 2 + 3 + 8 - 1 {
		more, err := topic.Open[note]("news", &topic.Options{Dir: w.dir})
		must(t, err)
		t.Cleanup(func() { mustClose(t, more) })
	}
	if _, err := topic.Open[note]("news", &topic.Options{Dir: w.dir}); !errors.Is(err, topic.ErrMembers) || !strings.Contains(err.Error(), "Options.Publishers, Subscribers") {
		t.Errorf("%v", err)
	}
	b, err := topic.CreateBytes("bytes", &topic.Options{Dir: w.dir, MaxMessage: 10})
	must(t, err)
	defer mustClose(t, b)
	p, err := b.Publisher()
	must(t, err)
	defer mustClose(t, p)
	if err := p.TrySend(make([]byte, 11)); !errors.Is(err, topic.ErrTooLarge) || !strings.Contains(err.Error(), "Options.MaxMessage") || !strings.Contains(err.Error(), "11 bytes") {
		t.Errorf("%v", err)
	}
}

// A file system that is full refuses a topic, and has nothing of it afterwards.
func TestAFullFileSystem(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	dir := t.TempDir()
	testenv.MountTmpfs(t, dir, 256<<10)
	must(t, os.Chmod(dir, 0o700))
	for _, o := range []topic.Options{
		{Subscribers: 800, Held: 64, Depth: 1}, // no room for what subscribers write
		{MaxMessage: 64 << 10},                 // for messages
	} {
		o.Dir = dir
		_, err := topic.CreateBytes("news", &o)
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "Options.MaxMessage") {
			t.Errorf("%+v: %v", o, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
	b, err := topic.CreateBytes("news", &topic.Options{Dir: dir, MaxMessage: 100, Depth: 8, Subscribers: 2, Publishers: 1})
	must(t, err)
	p, err := b.Publisher()
	must(t, err)
	// All of its memory is there: the rest may be used up.
	fill, err := os.Create(dir + "/rest")
	must(t, err)
	for err == nil {
		_, err = fill.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	for range 100 {
		must(t, p.TrySend(make([]byte, 100)))
	}
	must(t, errors.Join(p.Close(), b.Close(), fill.Close(), os.Remove(dir+"/rest")))
	p, b = nil, nil
	shmtest.Eventually(t, "nothing of it is mapped", func() bool { // before it can be unmounted
		runtime.GC()
		maps, err := os.ReadFile("/proc/self/maps")
		must(t, err)
		return !strings.Contains(string(maps), dir)
	})
}

// What is held shows memory that cannot be written to.
func TestAStoreToAMessageFaults(t *testing.T) {
	w := newWorld[frame, *frame](t, topic.Options{})
	p, s := w.publisher(), w.subscriber(topic.SubscriberOptions{})
	w.send(p, 1, 1)
	m, err := s.TryReceive()
	must(t, err)
	var fault *shmkit.FaultError
	if err := shmkit.Guard(func() { m.Data().N = 7 }); !errors.As(err, &fault) {
		t.Errorf("written to: %v", err)
	}
	if m.Data().get() != 1 {
		t.Error("and it was changed")
	}
	must(t, m.Release())
}

// Who is cut off from either file gets faults, also asleep, and can close.
func TestTruncation(t *testing.T) {
	if race.Enabled {
		t.Skip("with -race a fault in an atomic access ends the program")
	}
	for _, c := range []struct {
		name     string
		messages bool
		size     int64
	}{{"body", false, 4096}, {"messages", true, 0}, {"chunks", true, 1 << 16}} {
		t.Run(c.name, func(t *testing.T) {
			dir := shmtest.Dir(t)
			it, err := topic.Create[frame]("news", &topic.Options{Dir: dir, Publishers: 1, Depth: 64, Subscribers: 4})
			must(t, err)
			p, err := it.Publisher()
			must(t, err)
			s, err := it.Subscriber(nil)
			must(t, err)
			idle, err := it.Subscriber(nil)
			must(t, err)
			path, messages := it.Paths()
			var m frame
			must(t, p.TrySend(&m))
			for range 2 {
				_, err = idle.TryRead(&m)
				if err == topic.ErrEmpty {
					break
				}
				must(t, err)
			}
			held, err := s.TryReceive()
			must(t, err)
			loan, err := p.TryLoan()
			must(t, err)
			must(t, p.TrySend(&m))
			_, err = idle.TryRead(&m)
			must(t, err)
			sleeping := begin(func() error { _, err := idle.Read(ctx, &frame{}); return err })
			other, err := it.Subscriber(&topic.SubscriberOptions{History: -1})
			must(t, err)
			reached := begin(func() error { _, err := other.Read(t.Context(), &frame{}); return err }) // not by its bound
			asleep(t, dir, 2, nil)
			cut := path
			if c.messages {
				cut = messages
			}
			must(t, os.Truncate(cut, c.size))
			var fault *shmkit.FaultError
			whole := c.name == "chunks" // of which only those are gone
			for n, f := range []func() error{
				func() error { return p.TrySend(&m) },
				func() error { _, err := p.TrySendBatch(make([]frame, 2)); return err },
				func() error { return p.Send(limited(t), &m) },
				func() error { _, err := s.TryRead(&m); return err },
				func() error { return shmkit.Guard(func() { _ = held.Data().get() }) },
				func() error { return shmkit.Guard(func() { loan.Data().set(1) }) },
				func() error {
					m, err := s.Receive(limited(t))
					if err == nil { // nobody has looked at the chunk
						err = m.Release()
					}
					return err
				},
				func() error { _, err := it.Stat(); return err },
				func() error { return <-sleeping },
				func() error { return <-reached },
			} {
				switch {
				case whole && n >= 6: // nobody looks at a chunk
					if n < 8 {
						must(t, f())
					}
					continue
				case c.name == "body" && (n == 3 || n == 4 || n == 5):
					// The message is there all the same, but it cannot be said that it was read.
					if err := f(); n == 3 && !errors.As(err, &fault) {
						t.Errorf("%d: %v", n, err)
					}
					continue
				}
				if err := f(); !errors.As(err, &fault) {
					t.Errorf("%d: %v", n, err)
				}
			}
			for _, err := range []error{held.Release(), loan.Drop(), s.Close(), idle.Close(), other.Close(), p.Close(), it.Close()} {
				if err != nil && !errors.As(err, &fault) && !errors.Is(err, topic.ErrCorrupt) && !errors.Is(err, topic.ErrHeld) {
					t.Errorf("ending it: %v", err)
				}
			}
			if whole { // where nothing was to be woken for
				for _, slept := range []<-chan error{sleeping, reached} {
					if err := <-slept; !errors.Is(err, topic.ErrClosed) {
						t.Errorf("who slept: %v", err)
					}
				}
			}
			_, _ = os.Remove(path), os.Remove(messages)
		})
	}
}

// Two handles in one process are two members: one is not taken for dead because of the other, and
// the dead elsewhere hold up neither.
func TestTheSameTopicTwiceInOneProcess(t *testing.T) {
	w := newWorld[sheet, *sheet](t, topic.Options{Depth: 8})
	second, err := topic.Open[sheet]("news", &topic.Options{Dir: w.dir})
	must(t, err)
	defer mustClose(t, second)
	third, err := topic.Open[sheet]("news", &topic.Options{Dir: w.dir})
	must(t, err)
	p := w.publisher()
	s, err := second.Subscriber(nil)
	must(t, err)
	defer mustClose(t, s)
	must(t, third.Close()) // which must not end what the others have
	q := shmtest.Start(t, "idler slots", w.dir)
	q.Expect("ready")
	w.send(p, 1, 8)
	q.Kill()
	c, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	var m sheet
	m.set(9)
	if err := p.Send(c, &m); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the living was not waited for: %v", err)
	}
	w.receive(s, 1, 8)
	must(t, p.Send(limited(t), &m))
	w.receive(s, 9, 9)
	q2, err := second.Publisher()
	must(t, err)
	if stat, err := second.Stat(); err != nil || stat.Publishers != 2 || stat.Subscribers != 1 {
		t.Errorf("%+v, %v", stat, err)
	}
	must(t, q2.Close())
}

// Members in other PID namespaces are alive until they die.
func TestMembersInOtherPIDNamespaces(t *testing.T) {
	testenv.RequireRoot(t)
	w := newWorld[sheet, *sheet](t, topic.Options{Depth: 8, Publishers: 1})
	inside := &shmtest.StartOptions{Cloneflags: syscall.CLONE_NEWPID}
	a := shmtest.StartWith(t, inside, "subscriber slots", w.dir, "reliable", "told", "1000")
	a.Expect("ready")
	b := shmtest.StartWith(t, inside, "publisher slots", w.dir, "1", "500") // both are pid 1
	b.Expect("ready")
	reader := w.subscriber(topic.SubscriberOptions{})
	var k course
	reading := begin(func() error { return follow[sheet, *sheet](reader, &k, true, 1<<30) })
	asleep(t, w.dir, 2, nil) // the publisher waits for the other
	if _, err := w.topic.Publisher(); !errors.Is(err, topic.ErrPublishers) {
		t.Fatalf("in the place of the living: %v", err)
	}
	a.Kill()
	shmtest.Eventually(t, "the publisher goes on", func() bool {
		stat, err := w.topic.Stat()
		must(t, err)
		return stat.Lanes[0].Sent > 20
	})
	b.Kill()
	p := w.publisher()
	must(t, publish[sheet, *sheet](p, theLast, 1, nil))
	must(t, <-reading)
}

var _ = addRoles(map[string]shmtest.Role{"outsider": outside})

// outside is another user, who may subscribe; and may publish only if told so.
func outside(args []string) error {
	t, err := topic.Open[frame]("news", &topic.Options{Dir: args[0], AnyOwner: true})
	if err != nil {
		return err
	}
	s, err := t.Subscriber(nil)
	if err != nil {
		return err
	}
	p, err := t.Publisher()
	if args[1] == "publishes" {
		if err == nil {
			var m frame
			m.set(2)
			err = errors.Join(p.TrySend(&m), p.Close())
		}
		if err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "may publish") {
		return fmt.Errorf("publishing: %w", err)
	}
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	c, cancel := soon()
	defer cancel()
	m, err := s.Receive(c)
	if err != nil {
		return err
	}
	if m.Data().get() < 1 {
		return errors.New("torn")
	}
	if args[1] != "publishes" {
		if err := shmkit.Guard(func() { m.Data().N = 7 }); err == nil {
			return errors.New("a message was written to")
		}
		if err := mayNotWrite(t); err != nil {
			return err
		}
	}
	if err := shmtest.Say("read"); err != nil {
		return err
	}
	<-shmtest.Dismissed()
	return errors.New("left") // with its view
}

// mayNotWrite tries all ways to write to the file of messages.
func mayNotWrite(t *topic.Topic[frame]) error {
	_, path := t.Paths()
	ways := []string{path}
	links, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, l := range links {
		if to, err := os.Readlink("/proc/self/fd/" + l.Name()); err == nil && to == path {
			ways = append(ways, "/proc/self/fd/"+l.Name())
		}
	}
	for _, way := range ways {
		f, err := os.OpenFile(way, os.O_RDWR, 0)
		if err == nil {
			return errors.Join(fmt.Errorf("%s can be written to", way), f.Close())
		}
		if !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	if err := os.Truncate(path, 0); !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("truncated: %w", err)
	}
	return nil
}

// Who may read the file of messages, and write the other, may subscribe, and not publish.
func TestAnotherUserSubscribesAndDoesNotPublish(t *testing.T) {
	nobody := testenv.Nobody(t)
	for _, c := range []struct {
		name          string
		dir           os.FileMode
		group         int
		mode, publish os.FileMode
		publishes     string
	}{
		{"may read messages", 0o755, 0, 0o666, 0o644, "subscribes"},
		{"may write messages", 0o755, 0, 0o666, 0o666, "publishes"},
		{"by default", 0o755, 0, 0o666, 0, "subscribes"},
		{"in a sticky directory", 0o777 | os.ModeSticky, 0, 0o666, 0o644, "subscribes"},
		{"of a group", 0o770 | os.ModeSetgid, int(nobody.Gid), 0o660, 0o640, "subscribes"},
		{"of a group that publishes", 0o770 | os.ModeSetgid, int(nobody.Gid), 0o660, 0o660, "publishes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := shmtest.Dir(t)
			must(t, errors.Join(os.Chown(dir, 0, c.group), os.Chmod(dir, c.dir)))
			w := newWorld[frame, *frame](t, topic.Options{Dir: dir, Depth: 4, Mode: c.mode, PublishMode: c.publish, AnyOwner: true})
			p := w.publisher()
			other := shmtest.StartWith(t, &shmtest.StartOptions{Credential: nobody}, "outsider", dir, c.publishes)
			other.Expect("ready")
			w.send(p, 1, 1)
			other.Expect("read")
			other.Kill()
			for n := range int64(10) { // its view and its cursor hold nobody up
				var m frame
				m.set(n + 2)
				must(t, p.Send(limited(t), &m))
			}
		})
	}
}
