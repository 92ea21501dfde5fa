package pshared_test

import "github.com/shmkit/shmkit/pshared"

func mutexOf(h *hands) *pshared.Mutex { return h.mu }

var mutexOps = map[string]op{
	"lock":    waitOp(mutexOf, (*pshared.Mutex).Lock),
	"try":     tryOp(mutexOf, (*pshared.Mutex).TryLock),
	"unlock":  plainOp(mutexOf, (*pshared.Mutex).Unlock),
	"mend":    plainOp(mutexOf, (*pshared.Mutex).MakeConsistent),
	"abandon": plainOp(mutexOf, (*pshared.Mutex).Abandon),
}

var mutexConduct = &primitive{
	name: "mutex",
	in: func(h *hands, s *pshared.Shared[family]) error {
		has(h, &h.mu, s.Mutex(&s.Data().Mutex))
		return nil
	},
	named: func(h *hands, o *pshared.Options) error {
		mu, err := pshared.OpenMutex("x", o)
		return opened(h, &h.mu, mu, err)
	},
	ops: mutexOps,
	contract: map[string]string{
		"one at a time": `
			a lock: ok
			b try: refused
			b unlock: not held
			b lock ...
			a unlock: ok
			b: ok
			a try: refused
			b unlock: ok
			a try: ok
			a unlock: ok`,
		"giving up": `
			a lock: ok
			b lock ...
			b gives up
			b: gave up
			a unlock: ok
			b lock: ok
			b unlock: ok`,
		"closing": `
			a lock: ok
			a close: held
			b lock ...
			c lock ...
			b close: ok
			b: closed
			b try: closed
			a unlock: ok
			c: ok
			c unlock: ok`,
	},
	deaths: map[string]string{
		"of the holder": `
			b lock: ok
			c lock ...
			kill b
			c: told
			a try: refused
			c mend: ok
			c unlock: ok
			a lock: ok
			a unlock: ok`,
		"of a holder nobody waits for": `
			b lock: ok
			kill b
			a try: told
			a abandon: ok
			c lock: told
			c mend: ok
			c unlock: ok
			a try: ok
			a unlock: ok`,
		"of nobody, and who was stopped keeps it": `
			b lock: ok
			stop b
			a try: refused
			a lock ...
			continue b
			b unlock: ok
			a: ok
			a unlock: ok`,
		"of a waiter": `
			a lock: ok
			b lock ...
			c lock ...
			stop b
			a unlock: ok
			kill b
			c: ok
			c unlock: ok`,
	},
}

func rwOf(h *hands) *pshared.RWMutex { return h.rw }

var rwConduct = &primitive{
	name: "rwmutex",
	in: func(h *hands, s *pshared.Shared[family]) error {
		has(h, &h.rw, s.RWMutex(&s.Data().RW))
		return nil
	},
	named: func(h *hands, o *pshared.Options) error {
		rw, err := pshared.OpenRWMutex("x", o)
		return opened(h, &h.rw, rw, err)
	},
	ops: map[string]op{
		"read":     waitOp(rwOf, (*pshared.RWMutex).RLock),
		"tryread":  tryOp(rwOf, (*pshared.RWMutex).TryRLock),
		"done":     plainOp(rwOf, (*pshared.RWMutex).RUnlock),
		"write":    waitOp(rwOf, (*pshared.RWMutex).Lock),
		"trywrite": tryOp(rwOf, (*pshared.RWMutex).TryLock),
		"unlock":   plainOp(rwOf, (*pshared.RWMutex).Unlock),
		"mend":     plainOp(rwOf, (*pshared.RWMutex).MakeConsistent),
	},
	contract: map[string]string{
		"readers share": `
			a read: ok
			b read: ok
			b trywrite: refused
			c write ...
			b tryread: refused
			a done: ok
			a done: not held
			b done: ok
			c: ok
			a tryread: refused
			b read ...
			c unlock: ok
			b: ok
			b done: ok`,
		"giving up": `
			a read: ok
			b write ...
			b gives up
			b: gave up
			b tryread: ok
			b done: ok
			a done: ok
			a write: ok
			b read ...
			b gives up
			b: gave up
			a unlock: ok
			b write: ok
			b unlock: ok`,
		"closing": `
			a write: ok
			a close: held
			b read ...
			c write ...
			b close: ok
			b: closed
			b tryread: closed
			a unlock: ok
			c: ok
			c unlock: ok
			a read: ok
			a close: held
			a done: ok`,
	},
	deaths: map[string]string{
		"of a writer": `
			b write: ok
			c read ...
			kill b
			c: told
			c done: not held
			a tryread: told
			a write: told
			a mend: ok
			a unlock: ok
			c read: ok
			a tryread: ok
			c done: ok
			a done: ok`,
		"of a reader": `
			b read: ok
			a read: ok
			c write ...
			kill b
			a done: ok
			c: ok
			c unlock: ok`,
		"of a waiting reader": `
			a write: ok
			b read ...
			c write ...
			stop b
			a unlock: ok
			kill b
			c: ok
			c unlock: ok`,
		"of a waiting writer": `
			a write: ok
			b write ...
			c write ...
			kill b
			a unlock: ok
			c: ok
			c unlock: ok
			a read: ok
			a done: ok`,
		"of a writer who waits for readers": `
			a read: ok
			b write ...
			c read ...
			kill b
			c: told
			a done: ok
			c write: told
			c mend: ok
			c unlock: ok
			a read: ok
			a done: ok`,
	},
}
