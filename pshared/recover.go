package pshared

import (
	"context"
	"errors"

	"github.com/shmkit/shmkit/internal/object"
)

// Sweep takes the records of dead members out of an object of a kind, whatever stands in
// it, and returns how many there were. It is never necessary: whoever needs a record, or
// waits for the dead, does so. dir is as Options.Dir. fs.ErrNotExist: there is none.
func Sweep(kind, name, dir string) (n int, err error) {
	k, err := kindOf(kind)
	if err != nil {
		return 0, err
	}
	c := object.Config{Kind: k, Stride: object.RecordHeader, Recover: recoverAny}
	c.Keep = func(*object.Object) bool { return true } // to sweep it, not to remove it
	before, err := Look(kind, name, dir)
	if err != nil {
		return 0, err
	}
	o, err := object.Open(context.Background(), object.ChooseDir(dir), name, c)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	// Joining may have taken a dead member's slot.
	for _, m := range before.Members {
		if !m.Alive && m.Slot == o.Slot() {
			n++
		}
	}
	swept, err := o.Sweep()
	return n + swept, err
}

// recoverAny makes good what a dead member's record says, in an object that nothing is
// known of but what it says of itself.
func recoverAny(o *object.Object, slot int) error {
	d := &description{kind: o.Kind(), typeName: o.Type(), words: o.Words(), bodySize: int64(len(o.Body())), read: func(p []byte, offset int64) error {
		copy(p, o.Body()[offset:])
		return nil
	}}
	places, err := d.places()
	if err != nil {
		return err
	}
	return recoverRecord(o, slot, places)
}
