package pshared

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"runtime"
	"structs"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/words"
)

// CountingWord is a CountingSemaphore in shared memory: 16 bytes. The zero value has no
// tokens.
type CountingWord struct {
	_     structs.HostLayout
	state words.Uint32 // tokensWaited and how many tokens there are
	_     uint32
	lost  words.Uint64 // see tokens.go
}

// MaxTokens is how many tokens a CountingSemaphore can hold, as SEM_VALUE_MAX of
// sem_post(3).
const MaxTokens = 1<<31 - 1

const (
	tokensWaited = 1 << 31 // somebody may sleep
	tokensMask   = MaxTokens
)

var (
	// ErrTokensLost: a member died that had taken tokens, and nobody will post them but who is
	// told of it now; see *TokensLostError, which has the number.
	ErrTokensLost = errors.New("tokens may be lost")
	// ErrTooManyTokens: there would be more than MaxTokens. It is EOVERFLOW.
	ErrTooManyTokens = fmt.Errorf("more than %d tokens: %w", MaxTokens, syscall.EOVERFLOW)
)

// TokensLostError is ErrTokensLost with a number.
type TokensLostError struct {
	// N is how many tokens the dead had taken and not posted. It is never too small, and too
	// large by what one of their goroutines was just taking, posting, or being told of when
	// they died. They are accounted to the handle that was told.
	N int64
}

func (e *TokensLostError) Error() string {
	return fmt.Sprintf("%d tokens of dead members may be lost; no token was taken; post or settle them", e.N)
}

// Is makes it ErrTokensLost.
func (e *TokensLostError) Is(target error) bool { return target == ErrTokensLost }

// CountingSemaphore is a handle of a number of tokens that processes share, as of
// sem_post(3): anybody posts, whoever waits takes one. A token is nobody's. If a member
// dies that took more than it posted, one who waits is told how many may be lost. Its
// methods may be called by any number of goroutines at once.
type CountingSemaphore struct {
	core
	word *CountingWord // immutable
	spin futex.Spinner
}

// OpenCountingSemaphore opens the counting semaphore of a name, or makes one without tokens;
// nil options are the zero Options. The names are those of OpenSemaphore.
func OpenCountingSemaphore(name string, o *Options) (*CountingSemaphore, error) {
	h, err := open(object.Semaphore, name, reflect.TypeFor[CountingWord](), o, nil)
	if err != nil {
		return nil, err
	}
	return obtain(h, 0, h.newCounting), nil
}

// CountingSemaphore returns a handle of a counting semaphore in the struct, as Mutex does of
// a lock.
func (s *Shared[T]) CountingSemaphore(w *CountingWord) *CountingSemaphore {
	return obtain(s.in, offsetIn(s.data, w), s.in.newCounting)
}

func (h *handle) newCounting(at *place) *CountingSemaphore {
	c := &CountingSemaphore{word: wordAt[CountingWord](h.o.Body(), at.offset)}
	c.init(h, at)
	if !h.closing {
		c.entry.a.CompareAndSwap(0, uint64(generationOf(c.me))<<accountGeneration)
	}
	return c
}

// Wait takes a token, waiting for one until ctx ends; its error is then the context's. If
// there is one ctx is not looked at. ErrTokensLost: members died that had taken tokens; no
// token was taken. Each death is told to one caller, who posts as many as the error says,
// if they are missing, or settles them. With any error none is taken.
func (c *CountingSemaphore) Wait(ctx context.Context) error {
	if c.word.lost.Load() == 0 {
		if ok, err := c.take(false); ok && err == nil {
			race.Acquire(c.key)
			runtime.KeepAlive(c)
			return nil
		}
	}
	err := c.fail("wait", c.run(func() error { return c.waitSlow(ctx) }))
	if err == nil {
		race.Acquire(c.key)
	}
	return err
}

// TryWait is Wait that does not wait: ok is false if there is no token.
func (c *CountingSemaphore) TryWait() (ok bool, err error) {
	if c.word.lost.Load() == 0 {
		ok, err = c.take(false)
	}
	if !ok || err != nil {
		err = c.fail("wait", c.run(func() (err error) {
			ok, err = c.takeOrTell(false, true)
			return err
		}))
	}
	if ok {
		race.Acquire(c.key)
		runtime.KeepAlive(c)
	}
	return ok, err
}

// Post adds n tokens, whoever took them. More than MaxTokens in all: ErrTooManyTokens, and
// none is added.
func (c *CountingSemaphore) Post(n int64) error {
	race.Release(c.key)
	wake, err := c.post(n)
	if err == nil && wake == 0 {
		runtime.KeepAlive(c)
		return nil
	}
	if err == nil {
		err = c.guard(func() error {
			point("post:done")
			_, err := futex.Wake(&c.word.state, wake)
			return err
		})
	} else if errors.Is(err, ErrClosed) {
		err = c.run(func() error { return c.postSlow(n) })
	}
	return c.fail("post", err)
}

// Settle says that n tokens that this handle took are used up: nobody is to be told of them
// should it die. Who takes tokens and never posts any does so when the work is done that they
// stand for. If there are fewer than n to be told of, there are none from then on.
func (c *CountingSemaphore) Settle(n int64) error {
	return c.fail("settle", c.run(func() error {
		if n < 1 {
			return fmt.Errorf("%d tokens: %w", n, fs.ErrInvalid)
		}
		for {
			a := c.entry.a.Load()
			switch {
			case a>>accountGeneration != uint64(generationOf(c.me)):
				return ErrCorrupt
			case c.entry.a.CompareAndSwap(a, withAccount(a, accountOf(a)-n)):
				return nil
			}
		}
	}))
}

// Tokens returns how many tokens there are, at a moment that may be over.
func (c *CountingSemaphore) Tokens() (n int64, err error) {
	err = c.run(func() error {
		n = int64(c.word.state.Load() & tokensMask)
		return nil
	})
	return n, c.fail("look at", err)
}

// Unsettled returns how many tokens this handle took, or was told of, and has not posted or
// settled since. It is what another would be told of if the process died now.
func (c *CountingSemaphore) Unsettled() (n int64, err error) {
	err = c.run(func() error {
		n = accountOf(c.entry.a.Load())
		return nil
	})
	return n, c.fail("look at", err)
}

// shut, held, reopen, recall and look implement primitive.
func (c *CountingSemaphore) shut() {}

// held lets nobody in who comes from now on, and waits for who is in the middle of an
// operation, which takes a moment; with an entry that a peer has spoilt, it does not wait
// for ever.
func (c *CountingSemaphore) held() bool {
	for begin := time.Now(); ; runtime.Gosched() {
		a := c.entry.a.Load()
		if a&accountBusy == 0 && c.entry.a.CompareAndSwap(a, a|accountShut) {
			return false
		}
		if time.Since(begin) > longest {
			return true
		}
	}
}

func (c *CountingSemaphore) reopen() { c.entry.a.And(^uint64(accountShut)) }

func (c *CountingSemaphore) recall() { _ = futex.Recall(&c.word.state) } // if the memory is gone they find out themselves

func (c *CountingSemaphore) look(dead asker) {
	switch {
	case c.word.state.Load()&tokensMask != 0 || c.word.lost.Load() != 0:
		_, _ = futex.Wake(&c.word.state, 1) // the same
	case c.deadTaker(dead):
		_, _ = c.o.Sweep() // which wakes one; if it fails, the next tick tries again
	}
}
