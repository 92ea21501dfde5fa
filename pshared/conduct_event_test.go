package pshared_test

import "github.com/shmkit/shmkit/pshared"

func eventOf(h *hands) *pshared.Event { return h.event }

var eventOps = map[string]op{
	"set":   plainOp(eventOf, (*pshared.Event).Set),
	"reset": plainOp(eventOf, (*pshared.Event).Reset),
	"wait":  waitOp(eventOf, (*pshared.Event).Wait),
	"try":   tryOp(eventOf, (*pshared.Event).TryWait),
}

var manualConduct = &primitive{
	name: "event",
	in: func(h *hands, s *pshared.Shared[family]) error {
		has(h, &h.event, s.Event(&s.Data().Manual))
		return nil
	},
	named: func(h *hands, o *pshared.Options) error {
		e, err := pshared.OpenEvent("x", o)
		return opened(h, &h.event, e, err)
	},
	ops: eventOps,
	contract: map[string]string{
		"it stays set": `
			a try: refused
			b wait ...
			c wait ...
			a set: ok
			b: ok
			c: ok
			b wait: ok
			a try: ok
			b reset: ok
			a try: refused`,
		"giving up": `
			b wait ...
			b gives up
			b: gave up
			a set: ok
			b wait: ok`,
		"closing": `
			b wait ...
			c wait ...
			b close: ok
			b: closed
			b try: closed
			a try: refused
			a set: ok
			c: ok`,
	},
	deaths: map[string]string{
		"of a waiter": `
			b wait ...
			c wait ...
			stop b
			a set: ok
			a reset: ok
			kill b
			c: ok
			a try: refused`,
		"of who has set it": `
			c wait ...
			b set: ok
			kill b
			c: ok
			a try: ok`,
		"of nobody, and who was stopped missed nothing": `
			b wait ...
			stop b
			a set: ok
			a reset: ok
			continue b
			b: ok
			b try: refused`,
	},
}

var autoConduct = &primitive{
	name: "auto event",
	in: func(h *hands, s *pshared.Shared[family]) error {
		has(h, &h.event, s.AutoEvent(&s.Data().Auto))
		return nil
	},
	named: func(h *hands, o *pshared.Options) error {
		e, err := pshared.OpenAutoEvent("x", o)
		return opened(h, &h.event, e, err)
	},
	ops: eventOps,
	contract: map[string]string{
		"it lets one through": `
			b wait ...
			a set: ok
			b: ok
			b try: refused
			a set: ok
			a set: ok
			b wait: ok
			a try: refused
			a set: ok
			a reset: ok
			b try: refused`,
		"giving up": `
			b wait ...
			b gives up
			b: gave up
			a set: ok
			c try: ok
			b try: refused`,
		"closing": `
			b wait ...
			c wait ...
			b close: ok
			b: closed
			b try: closed
			a set: ok
			c: ok
			a try: refused`,
	},
	deaths: map[string]string{
		"of a waiter": `
			b wait ...
			c wait ...
			stop b
			a set: ok
			kill b
			c: ok
			a try: refused`,
		"of who has set it": `
			b set: ok
			kill b
			c wait: ok
			a try: refused`,
		"of nobody, and who was stopped takes nothing": `
			b wait ...
			stop b
			a set: ok
			a try: ok
			continue b
			a set: ok
			b: ok
			a try: refused`,
	},
}
