package topic

import (
	"context"

	"github.com/shmkit/shmkit/internal/object"
)

// Reclaim removes the name of a topic that was left behind, as the next one to open it would: no
// living handle has it open, and it is not persistent. removed is false if that is not so; one
// that is gone counts as removed. It is never necessary. dir is as Options.Dir.
func Reclaim(ctx context.Context, name, dir string) (removed bool, err error) {
	return object.Reclaim(ctx, object.ChooseDir(dir), object.Topic, name, nil)
}
