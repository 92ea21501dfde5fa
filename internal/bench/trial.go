package bench

import (
	"fmt"
	"strings"
)

// A Trial is one row of a suite: what two processes do together.
type Trial struct {
	Suite string `json:"suite"`
	Way   string `json:"way"`
	// Wait is how who waits does so; "" where nobody does.
	Wait Wait `json:"wait,omitempty"`
	// Size is how many bytes a message has; 0 where there are none.
	Size int `json:"size,omitempty"`
	// Touched: all bytes of messages are written and read, and not the first eight alone.
	Touched bool `json:"touched,omitempty"`
	// Yardstick: it is what others are measured against.
	Yardstick bool `json:"yardstick,omitempty"`
	// Foreign: another system does it (Options.Foreign).
	Foreign bool `json:"foreign,omitempty"`
	// Ours: shmkit's code does it; else the kernel, or the C library, alone.
	Ours bool `json:"shmkit,omitempty"`
	// Shared: it keeps out those who change something, and others like it may be in. That is less than a lock does.
	Shared bool `json:"shared,omitempty"`
	// Group says what rows that are compared with each other have in common besides, "" if nothing.
	Group string `json:"group,omitempty"`
	// Receivers is how many there are in a fan-out; 0 elsewhere.
	Receivers int `json:"receivers,omitempty"`
	// About is what one operation is.
	About string `json:"about,omitempty"`
}

// A contestKey is what trials have in common that are compared with each other.
type contestKey struct {
	suite           string
	size, receivers int
	touched         bool
	group           string
}

func (t Trial) contest() contestKey {
	return contestKey{t.Suite, t.Size, t.Receivers, t.Touched, t.Group}
}

// String names it as in "latency topic spin 64".
func (t Trial) String() string {
	s := []string{t.Suite, t.Way}
	if t.Wait != "" {
		s = append(s, string(t.Wait))
	}
	if t.Size > 0 {
		s = append(s, fmt.Sprint(t.Size))
	}
	if t.Touched {
		s = append(s, "touched")
	}
	if t.Receivers > 0 {
		s = append(s, fmt.Sprint("1→", t.Receivers))
	}
	return strings.Join(s, " ")
}
