package queue

import (
	"context"

	"github.com/shmkit/shmkit/internal/object"
)

// Reclaim removes the name of a queue that was left behind, as the next one to open it would: no
// living handle has it open, it is not persistent, and there is neither an item nor a dead letter
// in it. removed is false if that is not so; one that is gone counts as removed. It is never
// necessary. dir is as Options.Dir.
func Reclaim(ctx context.Context, name, dir string) (removed bool, err error) {
	return object.Reclaim(ctx, object.ChooseDir(dir), object.Queue, name, keeps)
}
