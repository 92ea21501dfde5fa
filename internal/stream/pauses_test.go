package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/shmkit/shmkit/internal/testenv"
)

// Interleavings that must come out right, brought about on purpose: one
// participant is held at a point while another does something.

// pauseAt makes the first one that comes to a point wait until resume is closed.
func pauseAt(t *testing.T, name string) (reached <-chan struct{}, resume chan<- struct{}) {
	at, on := make(chan struct{}), make(chan struct{})
	var taken atomic.Bool // no sync.Once: its Do would hold the second one as well
	withoutTick(t, func(p string) {
		if p == name && !taken.Swap(true) {
			close(at)
			<-on
		}
	})
	return at, on
}

// What happens between any two steps of a reader that goes to sleep, it learns.
func TestNothingIsMissedByWhoGoesToSleepReading(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		for _, name := range []string{"sleep:empty", "sleep:marked", "sleep:looked"} {
			for what, act := range map[string]func(*testing.T, *Writer, spot){
				"a line":  func(t *testing.T, w *Writer, _ spot) { put(t, w, "x") },
				"the end": func(t *testing.T, w *Writer, _ spot) { closeMember(t, w) },
				"both":    func(t *testing.T, w *Writer, _ spot) { put(t, w, "x"); closeMember(t, w) },
				"two writers": func(t *testing.T, w *Writer, key spot) {
					closeMember(t, openWriter(t, key, linesSmall))
					closeMember(t, w)
				},
			} {
				t.Run(name+"/"+what, func(t *testing.T) {
					key := on.spot(t)
					r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
					reached, resume := pauseAt(t, name)
					var got string
					var reading errgroup.Group
					reading.Go(func() error {
						rec, err := r.Next(failsafe(t))
						got = string(rec.Data)
						return err
					})
					<-reached
					act(t, w, key)
					close(resume)
					err := reading.Wait()
					if lines := what == "a line" || what == "both"; lines && (got != "x" || err != nil) || !lines && !errors.Is(err, io.EOF) {
						t.Errorf("%q, %v", got, err)
					}
				})
			}
		}
	})
}

// And so does a writer that goes to sleep for want of space.
func TestNothingIsMissedByWhoGoesToSleepWriting(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		for _, name := range []string{"space:full", "space:waiting"} {
			for what, act := range map[string]func(*testing.T, *Reader, spot){
				"everything is read":   func(t *testing.T, r *Reader, _ spot) { drain(t, r) },
				"the reader leaves":    func(t *testing.T, r *Reader, _ spot) { closeMember(t, r) },
				"it reads, and leaves": func(t *testing.T, r *Reader, _ spot) { next(t, r); closeMember(t, r) },
				"another one joins": func(t *testing.T, r *Reader, key spot) {
					openReader(t, key, linesSmall) // where tail is: it needs nothing
					drain(t, r)
				},
			} {
				t.Run(name+"/"+what, func(t *testing.T) {
					key := on.spot(t)
					r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
					reached, resume := pauseAt(t, name)
					var writing errgroup.Group
					writing.Go(func() error {
						ctx := failsafe(t)
						if err := w.Begin(ctx); err != nil {
							return err
						}
						for range 3 { // two fill the ring
							if err := w.Put(ctx, Line, payload(0, w.MaxPayload())); err != nil {
								return err
							}
						}
						return w.End()
					})
					<-reached
					act(t, r, key)
					close(resume)
					if err := writing.Wait(); err != nil {
						t.Error(err)
					}
				})
			}
		}
	})
}

// drain reads all there is.
func drain(t *testing.T, r *Reader) {
	for r.Pending() {
		next(t, r)
	}
	if err := r.Advance(); err != nil {
		t.Error(err)
	}
}

// And a sender that waits for its receivers.
func TestNothingIsMissedByWhoWaitsForReceivers(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		for what, leaves := range map[string]bool{"it receives": false, "it leaves": true} {
			t.Run(what, func(t *testing.T) {
				key := on.spot(t)
				r, w := openReader(t, key, filesAny), openWriter(t, key, filesAny)
				reached, resume := pauseAt(t, "await:waiting")
				var sending errgroup.Group
				sending.Go(func() error {
					_, err := w.SendFile(failsafe(t), strings.NewReader("x"), FileInfo{Size: 1}, nil)
					return err
				})
				<-reached
				if leaves {
					closeMember(t, r)
				} else if _, err := r.ReceiveFile(failsafe(t), &sink{}, nil); err != nil {
					t.Error(err)
				}
				close(resume)
				if err := sending.Wait(); leaves != errors.Is(err, ErrNoReceiver) || !leaves && err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// A receiver that is just joining, and began before the file, is waited for.
func TestSenderWaitsForReceiverThatIsJoining(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		w := openWriter(t, key, filesAny)
		reached, resume := pauseAt(t, "join:slot")
		var receiving errgroup.Group
		receiving.Go(func() error {
			r, err := OpenReader(failsafe(t), key.site(), filesAny)
			if err != nil {
				return err
			}
			_, err = r.ReceiveFile(failsafe(t), &sink{}, nil)
			return several(err, r.Close())
		})
		<-reached
		var sent Transferred
		var sending errgroup.Group
		sending.Go(func() (err error) {
			sent, err = w.SendFile(failsafe(t), strings.NewReader("x"), FileInfo{Size: 1}, nil)
			return err
		})
		testenv.Eventually(t, "the sender waits for lock", func() bool {
			return w.h.waiting.Load() == asleep
		})
		close(resume)
		if err := several(sending.Wait(), receiving.Wait()); err != nil || sent.Receivers != 1 {
			t.Errorf("%d receivers, %v", sent.Receivers, err)
		}
	})
}

// Who leaves and sees that somebody stays cleans up after all if that one dies
// before lock was given back, or was seen again.
func TestLastOneIsKilledWhileAnotherLeaves(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		for role, at := range map[string]string{"reader": "leave:woke", "writer": "leave:woke", "receiver": "leave:unlocked"} {
			if at == "leave:unlocked" && on == onSysV {
				continue // it is no step there
			}
			content := Lines
			if role == "receiver" {
				content = Files
			}
			t.Run(role, func(t *testing.T) {
				key := on.spot(t)
				w := openWriter(t, key, Options{Content: content, Capacity: MinCapacity})
				p := start(t, role, part{At: key, Content: content, Hold: true})
				p.Expect("joined")
				reached, resume := pauseAt(t, at)
				var leaving errgroup.Group
				leaving.Go(w.Close)
				<-reached
				if err := p.Signal(syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				p.Kill()
				close(resume)
				if err := leaving.Wait(); err != nil {
					t.Error(err)
				}
				nothingUnder(t, key)
			})
		}
	})
}

// A writer that joins while a reader looks for the end is not taken for one that has
// ended.
func TestWriterJoinsWhileAReaderLooksForTheEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		r := openReader(t, key, linesSmall)
		reached, resume := pauseAt(t, "end:joined")
		var got string
		var reading errgroup.Group
		reading.Go(func() error {
			rec, err := r.Next(failsafe(t))
			got = string(rec.Data)
			return err
		})
		<-reached
		w := openWriter(t, key, linesSmall)
		close(resume)
		put(t, w, "x")
		if err := reading.Wait(); err != nil || got != "x" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// And one that joins when a reader has found the end finds a reader that goes on, or none.
func TestWriterJoinsWhileAReaderEnds(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		r := openReader(t, key, linesSmall)
		reached, resume := pauseAt(t, "end:found")
		var out bytes.Buffer
		var reading errgroup.Group
		reading.Go(func() error {
			_, err := r.ReadLines(failsafe(t), &out, 0)
			return several(err, r.Close())
		})
		closeMember(t, openWriter(t, key, linesSmall)) // the one that it has seen end
		<-reached
		w := openWriter(t, key, linesSmall)
		if err := w.WaitReaders(failsafe(t), 1); err != nil {
			t.Fatal(err)
		}
		done := write(t, w, "two\n")
		closeMember(t, w)
		close(resume)
		if err := reading.Wait(); err != nil || out.String() != "two\n" || done.Unread != 0 {
			t.Errorf("%q, %+v, %v", out.String(), done, err)
		}
	})
}

// A writer that comes when a reader has decided to end waits for another one.
func TestWriterComesWhenAReaderHasDecidedToEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		for _, at := range []string{"end:locked", "end:left"} {
			t.Run(at, func(t *testing.T) {
				key := on.spot(t)
				w := openWriter(t, key, linesSmall)
				r := openReader(t, key, linesSmall)
				reached, resume := pauseAt(t, at)
				var reading, writing errgroup.Group
				reading.Go(func() error {
					_, err := r.ReadLines(failsafe(t), io.Discard, 0)
					return several(err, r.Close())
				})
				closeMember(t, w)
				<-reached
				var done LinesWritten
				writing.Go(func() error {
					w, err := OpenWriter(failsafe(t), key.site(), linesSmall)
					if err == nil {
						err = w.WaitReaders(failsafe(t), 1)
					}
					if err != nil {
						return err
					}
					done, err = w.WriteLines(failsafe(t), strings.NewReader("two\n"))
					return several(err, w.Close())
				})
				close(resume)
				if err := reading.Wait(); err != nil {
					t.Error(err)
				}
				late := openReader(t, key, linesSmall)
				if got := next(t, late); got != "two" {
					t.Errorf("%q", got)
				}
				if err := writing.Wait(); err != nil || done.Unread != 0 {
					t.Errorf("%+v, %v", done, err)
				}
			})
		}
	})
}

// A writer does not count on a reader that is only about to look where tail is.
func TestWriterDoesNotCountOnAReaderThatIsJoining(t *testing.T) {
	onFiles(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		w := openWriter(t, key, linesSmall)
		reached, resume := make(chan struct{}), make(chan struct{})
		ctx, cancel := context.WithCancel(failsafe(t))
		withoutTick(t, func(p string) {
			switch p {
			case "join:claimed":
				close(reached)
				<-resume
			case "await:marked":
				cancel() // the next thing it does is to look
			}
		})
		var joining errgroup.Group
		joining.Go(func() error {
			r, err := OpenReader(failsafe(t), key.site(), linesSmall)
			if err == nil {
				err = r.Close()
			}
			return err
		})
		<-reached
		if err := w.WaitReaders(ctx, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, though the reader has not joined", err)
		}
		close(resume)
		if err := joining.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// A sender whose receiver has got another's file waits for the next receiver.
func TestSenderWaitsForAReceiverOfItsOwn(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		receive := func(r *Reader) (string, error) {
			var s sink
			_, err := r.ReceiveFile(failsafe(t), &s, nil)
			return s.String(), err
		}
		a, b := openWriter(t, key, filesAny), openWriter(t, key, filesAny)
		r := openReader(t, key, filesAny)
		r.Once = true
		reached, resume := pauseAt(t, "file:begun")
		var sending errgroup.Group
		for _, s := range []struct {
			w    *Writer
			text string
		}{{a, "a"}, {b, "b"}} {
			s.w.Receivers = 1
			sending.Go(func() error {
				sent, err := s.w.SendFile(failsafe(t), strings.NewReader(s.text), FileInfo{Size: 1}, nil)
				if err == nil && sent.Receivers != 1 {
					err = fmt.Errorf("%s: %d receivers", s.text, sent.Receivers)
				}
				return several(err, s.w.Close())
			})
		}
		<-reached // one of them; the other waits for its turn, or does so soon
		close(resume)
		first, err := receive(r)
		if err != nil {
			t.Fatal(err)
		}
		// It has the file and is still there: nobody goes on.
		if r.h.verified.Load()&(1<<verifiedBits-1) != 1 || r.h.tail.Load() == r.cursor {
			t.Error("it passed the end of its file before it left")
		}
		closeMember(t, r)
		r = openReader(t, key, filesAny)
		r.Once = true
		second, err := receive(r)
		if err != nil || first == second {
			t.Errorf("%q after %q, %v", second, first, err)
		}
		closeMember(t, r)
		if err := sending.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// A joiner that finds what it opened removed begins anew.
func TestJoinerWhoseStreamGoesAwayBeginsAnew(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		w := openWriter(t, key, linesSmall)
		reached, resume := pauseAt(t, "join:opened")
		var r *Reader
		var joining errgroup.Group
		joining.Go(func() (err error) {
			r, err = OpenReader(failsafe(t), key.site(), linesSmall)
			return err
		})
		<-reached
		closeMember(t, w) // the last one
		nothingUnder(t, key)
		w = openWriter(t, key, linesSmall)
		close(resume)
		if err := joining.Wait(); err != nil {
			t.Fatal(err)
		}
		put(t, w, "to the new one")
		if got := next(t, r); got != "to the new one" {
			t.Errorf("%q", got)
		}
		closeMember(t, r)
		closeMember(t, w)
		nothingUnder(t, key)
	})
}
