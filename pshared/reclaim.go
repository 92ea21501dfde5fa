package pshared

import (
	"context"

	"github.com/shmkit/shmkit/internal/object"
)

// Reclaim removes the name of an object of a kind that was left behind, as the next one to open
// it would: no living handle has it open, it is not persistent, and it is no lock whose holder
// died without anybody having been told. removed is false if that is not so; one that is gone
// counts as removed. It is never necessary. dir is as Options.Dir.
func Reclaim(ctx context.Context, kind, name, dir string) (removed bool, err error) {
	k, err := kindOf(kind)
	if err != nil {
		return false, err
	}
	var keep func(*object.Object) bool
	if k == object.Lock {
		keep = unsettled
	}
	return object.Reclaim(ctx, object.ChooseDir(dir), k, name, keep)
}
