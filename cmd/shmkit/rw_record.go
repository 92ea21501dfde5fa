package main

import (
	"context"
	"errors"
	"math/bits"
	"os"
	"strconv"
	"structs"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/pshared"
)

const (
	rwWords = 128 // of the record: 1 KiB, so that writing it takes a while
	rwMost  = 256 // participants
)

// rwRecord is what readers and writers share. The lock guards Words.
type rwRecord struct {
	_    structs.HostLayout
	Lock pshared.RWMutexWord
	_    [48]byte
	// Stop: everybody ends.
	Stop atomic.Uint32
	_    [60]byte
	// Words are all the same, but while a writer is at work, or has died at it.
	Words [rwWords]atomic.Uint64
	Parts [rwMost]rwPart
}

// rwPart is what one participant, and those that took its place, did so far. It is written
// by that one alone.
type rwPart struct {
	_       structs.HostLayout
	Turns   atomic.Uint64
	Torn    atomic.Uint64 // turns that found the words not all the same
	Mended  atomic.Uint64 // by a writer, after another's death
	Longest atomic.Int64  // wait, in nanoseconds
	_       [4]uint64
	Waits   [rwBuckets]atomic.Uint32
}

// Waits are counted by their size: four buckets for each power of two of nanoseconds.
const rwBuckets = 256

func rwBucket(ns uint64) int {
	n := bits.Len64(ns)
	if n < 3 {
		return int(ns)
	}
	return n*4 + int(ns>>(n-3)&3)
}

// rwBucketEnd is the largest wait in a bucket.
func rwBucketEnd(i int) time.Duration {
	n := i / 4
	if n < 3 {
		return time.Duration(i)
	}
	return time.Duration(uint64(5+i%4)<<(n-3) - 1)
}

func (p *rwPart) waited(d time.Duration) {
	p.Waits[rwBucket(uint64(max(d, 0)))].Add(1)
	if int64(d) > p.Longest.Load() {
		p.Longest.Store(int64(d))
	}
}

// percentile is how long the given share of all waits took at most.
func (p *rwPart) percentile(share float64) time.Duration {
	var total, sum uint64
	for i := range p.Waits {
		total += uint64(p.Waits[i].Load())
	}
	for i := range p.Waits {
		if sum += uint64(p.Waits[i].Load()); total > 0 && float64(sum) >= share*float64(total) {
			return min(rwBucketEnd(i), time.Duration(p.Longest.Load()))
		}
	}
	return 0
}

// newRWParticipantCommand is what rw starts as reader or writer.
func newRWParticipantCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "rw-participant ROLE NUMBER",
		Short:  "A reader or writer of rw",
		Hidden: true,
		Args:   exactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[1])
			if err != nil || n < 0 || n >= rwMost {
				return usagef("participant %q is no number below %d", args[1], rwMost)
			}
			return rwParticipate(cmd.Context(), args[0] == "writer", n)
		},
	}
}

// rwParticipate takes turns until it is told to stop. The memory is descriptor 3.
func rwParticipate(ctx context.Context, writer bool, n int) (err error) {
	f := os.NewFile(3, "the record")
	s, err := pshared.OpenMemfd[rwRecord](f, nil)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r, part := s.Data(), &s.Data().Parts[n]
	lock := s.RWMutex(&r.Lock)
	turn := rwRead
	if writer {
		turn = rwWrite
	}
	for r.Stop.Load() == 0 && ctx.Err() == nil {
		begin := time.Now()
		if err := turn(ctx, r, lock, part, begin); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func rwRead(ctx context.Context, r *rwRecord, lock *pshared.RWMutex, part *rwPart, begin time.Time) error {
	err := lock.RLock(ctx)
	for errors.Is(err, pshared.ErrWriterDead) && r.Stop.Load() == 0 { // until a writer has mended it
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
		err = lock.RLock(ctx)
	}
	if errors.Is(err, pshared.ErrWriterDead) {
		return nil
	}
	if err != nil {
		return err
	}
	part.waited(time.Since(begin))
	first := r.Words[0].Load()
	for i := range r.Words {
		if r.Words[i].Load() != first {
			part.Torn.Add(1)
			break
		}
	}
	part.Turns.Add(1)
	return lock.RUnlock()
}

func rwWrite(ctx context.Context, r *rwRecord, lock *pshared.RWMutex, part *rwPart, begin time.Time) error {
	err := lock.Lock(ctx)
	told := errors.Is(err, pshared.ErrOwnerDead)
	if err != nil && !told {
		return err
	}
	part.waited(time.Since(begin))
	if told { // the first word is always the first to be written
		part.Mended.Add(1)
	}
	next := r.Words[0].Load() + 1
	for i := range r.Words {
		r.Words[i].Store(next)
	}
	part.Turns.Add(1)
	if told {
		if err := lock.MakeConsistent(); err != nil {
			return err
		}
	}
	return lock.Unlock()
}
