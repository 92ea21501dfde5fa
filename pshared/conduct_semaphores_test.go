package pshared_test

import (
	"context"

	"github.com/shmkit/shmkit/pshared"
)

func semOf(h *hands) *pshared.Semaphore { return h.sem }

// acquires is an op that takes n permits, tries and releases the like.
func acquires(n int64) op {
	return waitOp(semOf, func(s *pshared.Semaphore, ctx context.Context) error { return s.Acquire(ctx, n) })
}

func triesFor(n int64) op {
	return tryOp(semOf, func(s *pshared.Semaphore) (bool, error) { return s.TryAcquire(n) })
}

func releases(n int64) op {
	return plainOp(semOf, func(s *pshared.Semaphore) error { return s.Release(n) })
}

var semaphoreConduct = &primitive{
	name: "semaphore",
	in: func(h *hands, s *pshared.Shared[family]) error {
		sem, err := s.Semaphore(&s.Data().Sem, poolPermits)
		has(h, &h.sem, sem)
		return err
	},
	named: func(h *hands, o *pshared.Options) error {
		sem, err := pshared.OpenSemaphore("x", poolPermits, o)
		return opened(h, &h.sem, sem, err)
	},
	ops: map[string]op{
		"acquire1": acquires(1), "acquire2": acquires(2), "acquire3": acquires(3),
		"try1": triesFor(1), "try2": triesFor(2), "try3": triesFor(3),
		"release1": releases(1), "release2": releases(2), "release3": releases(3),
		"free": countOp(semOf, (*pshared.Semaphore).Available),
	},
	contract: map[string]string{
		"permits are shared": `
			a acquire2: ok
			b try2: refused
			b try1: ok
			b release2: not held
			b free: 0
			c acquire2 ...
			a release1: ok
			a try1: refused
			a release1: ok
			c: ok
			b release1: ok
			c release2: ok
			a free: 3`,
		"giving up": `
			a acquire2: ok
			b acquire2 ...
			b gives up
			b: gave up
			b free: 1
			b try1: ok
			b release1: ok
			a release2: ok
			b try3: ok
			b release3: ok`,
		"closing": `
			a acquire3: ok
			a close: held
			b acquire1 ...
			c acquire3 ...
			b close: ok
			b: closed
			b try1: closed
			a release3: ok
			c: ok
			c release3: ok`,
	},
	deaths: map[string]string{
		"of a holder": `
			b acquire2: ok
			c acquire2 ...
			kill b
			c: ok
			a free: 1
			a try2: refused
			a try1: ok
			a free: 0
			a release1: ok
			c release2: ok
			a try3: ok
			c try1: refused
			a release3: ok`,
		"of nobody, and who was stopped keeps them": `
			b acquire2: ok
			stop b
			a try2: refused
			a free: 1
			a acquire2 ...
			continue b
			b release2: ok
			a: ok
			a release2: ok`,
		"of a holder nobody waits for": `
			b acquire3: ok
			kill b
			a try3: ok
			c try1: refused
			a release3: ok
			a free: 3`,
		"of a waiter": `
			a acquire3: ok
			b acquire1 ...
			c acquire1 ...
			stop b
			a release3: ok
			kill b
			c: ok
			c release1: ok
			a try3: ok
			a release3: ok`,
	},
}

func countOf(h *hands) *pshared.CountingSemaphore { return h.count }

// posts is an op that posts n tokens.
func posts(n int64) op {
	return plainOp(countOf, func(c *pshared.CountingSemaphore) error { return c.Post(n) })
}

var countingConduct = &primitive{
	name: "counting semaphore",
	in: func(h *hands, s *pshared.Shared[family]) error {
		has(h, &h.count, s.CountingSemaphore(&s.Data().Count))
		return nil
	},
	named: func(h *hands, o *pshared.Options) error {
		c, err := pshared.OpenCountingSemaphore("x", o)
		return opened(h, &h.count, c, err)
	},
	ops: map[string]op{
		"wait": waitOp(countOf, (*pshared.CountingSemaphore).Wait),
		"try":  tryOp(countOf, (*pshared.CountingSemaphore).TryWait),
		"post": posts(1), "post2": posts(2),
		"settle": plainOp(countOf, func(c *pshared.CountingSemaphore) error { return c.Settle(1) }),
		"tokens": countOp(countOf, (*pshared.CountingSemaphore).Tokens),
	},
	contract: map[string]string{
		"whoever waits takes one": `
			a try: refused
			b wait ...
			a post: ok
			b: ok
			a post2: ok
			b try: ok
			b tokens: 1
			a wait: ok
			b try: refused
			b tokens: 0`,
		"giving up": `
			b wait ...
			b gives up
			b: gave up
			a post: ok
			a tokens: 1
			b try: ok
			b try: refused`,
		"closing": `
			b wait ...
			c wait ...
			b close: ok
			b: closed
			b post: closed
			a post: ok
			c: ok
			a tokens: 0`,
	},
	deaths: map[string]string{
		"of a taker": `
			a post2: ok
			b wait: ok
			b wait: ok
			c wait ...
			kill b
			c: lost 2
			a try: refused
			c post2: ok
			a wait: ok
			a wait: ok
			a try: refused`,
		"of a taker nobody waits for": `
			a post: ok
			b wait: ok
			kill b
			a try: lost 1
			a try: refused
			a tokens: 0
			a settle: ok`,
		"of one who has posted and settled": `
			a post2: ok
			b wait: ok
			b wait: ok
			b post: ok
			b settle: ok
			kill b
			a try: ok
			a try: refused`,
		"of who was told": `
			a post: ok
			b wait: ok
			c tokens: 0
			kill b
			c try: lost 1
			kill c
			a try: lost 1
			a post: ok
			a try: ok
			a try: refused`,
		"of a waiter": `
			b wait ...
			c wait ...
			stop b
			a post: ok
			kill b
			c: ok
			a try: refused`,
	},
}
