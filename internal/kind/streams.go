package kind

import (
	"context"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/stream"
)

// Streams carries lines and files through an object: write, read, send, recv.
type Streams interface {
	// OpenWriter and OpenReader join the stream at a, making it if need be. The
	// last to leave removes it.
	OpenWriter(ctx context.Context, a address.Address, o stream.Options) (*stream.Writer, error)
	OpenReader(ctx context.Context, a address.Address, o stream.Options) (*stream.Reader, error)
}
