package posixkind

import (
	"context"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/stream"
)

// OpenWriter implements kind.Streams.
func (Objects) OpenWriter(ctx context.Context, a address.Address, o stream.Options) (*stream.Writer, error) {
	return stream.OpenWriter(ctx, site(a), o)
}

// OpenReader implements kind.Streams.
func (Objects) OpenReader(ctx context.Context, a address.Address, o stream.Options) (*stream.Reader, error) {
	return stream.OpenReader(ctx, site(a), o)
}

func site(a address.Address) stream.Site { return stream.Named(path(a), a.String()) }
