package inspect

import (
	"slices"

	"github.com/shmkit/shmkit/pshared"
)

var (
	systemKinds = []string{KindSegment, KindSemaphores, KindMessageQueue, KindPOSIX, KindMemfd, KindFile, KindMap}
	ownKinds    = slices.Concat(pshared.Kinds(), []string{KindQueue, KindTopic})
)
