package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/topic"
)

const large = 64 << 20

// A block is a message of 64 MiB.
type block struct{ Bytes [large]byte }

// joining measures how long it takes to join a topic of such messages, beside populating a mapping of as many bytes of
// memory that is there, and counts page faults while the first of them is written and read, all of it.
func joining(dir string, rounds int) error {
	o := &topic.Options{Dir: dir, Publishers: 1, Subscribers: 1, Depth: 1, Held: 1, Loans: 1}
	t, err := topic.Create[block]("large", o)
	if err != nil {
		return err
	}
	defer t.Close()
	st, err := t.Stat()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(dir+"/plain", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	plain := fdmap.New(file, "plain")
	defer plain.Close()
	if err := sys.Fallocate(int(file.Fd()), 0, 0, st.MessagesSize); err != nil {
		return os.NewSyscallError("fallocate", err)
	}
	var ratios []float64
	var joined, populated []time.Duration
	var faults, first []int64
	for range rounds {
		populate, err := populating(plain, st.MessagesSize)
		if err != nil {
			return err
		}
		join, send, receive, err := useOnce(o)
		if err != nil {
			return err
		}
		ratios = append(ratios, float64(join)/float64(populate))
		joined, populated = append(joined, join), append(populated, populate)
		faults, first = append(faults, send), append(first, receive)
	}
	fmt.Printf("joining a topic of %d MiB in chunks of 64 MiB: %v; populating as much: %v; %.2f ×\n",
		st.MessagesSize>>20, median(joined), median(populated), median(ratios))
	fmt.Printf("page faults while the first 64 MiB are written: %d, and read: %d (median of %d rounds; a page of Go's own now and then is among them)\n\n", median(faults), median(first), rounds)
	return errors.Join(os.Remove(dir+"/plain"), plain.Close())
}

func populating(f *fdmap.File, size int64) (time.Duration, error) {
	begin := time.Now()
	m, err := f.Map(fdmap.Options{Len: size, Protection: shmkit.Read | shmkit.Write, Populate: true})
	if err != nil {
		return 0, err
	}
	took := time.Since(begin)
	return took, m.Close()
}

// useOnce joins by a handle of its own for each side, and has one message written and read, in all its pages.
func useOnce(o *topic.Options) (join time.Duration, sending, receiving int64, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begin := time.Now()
	p, err := topic.NewPublisher[block]("large", o)
	if err != nil {
		return 0, 0, 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	join = time.Since(begin)
	s, err := topic.NewSubscriber[block]("large", &topic.SubscriberOptions{Topic: o})
	if err != nil {
		return 0, 0, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	sending, err = faultsOf(func() error {
		l, err := p.TryLoan()
		if err != nil {
			return err
		}
		all := l.Data().Bytes[:]
		for i := 0; i < len(all); i += 64 {
			all[i]++
		}
		return l.Publish()
	})
	if err != nil {
		return 0, 0, 0, err
	}
	receiving, err = faultsOf(func() error {
		m, err := s.TryReceive()
		if err != nil {
			return err
		}
		sum := byte(0)
		all := m.Data().Bytes[:]
		for i := 0; i < len(all); i += 64 {
			sum += all[i]
		}
		runtime.KeepAlive(sum)
		return m.Release()
	})
	return join, sending, receiving, err
}

func faultsOf(do func() error) (int64, error) {
	before, err := sys.ThreadUsage()
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := sys.ThreadUsage()
	return after.Sub(before).MinorFaults, err
}
