package posixkind

import (
	"context"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/stream"
)

// OpenWriter implements kind.Streams.
func (Objects) OpenWriter(ctx context.Context, a address.Address, o stream.Options, _ kind.Options) (kind.StreamWriter, error) {
	return kind.Site{Site: site(a)}.OpenWriter(ctx, o)
}

// OpenReader implements kind.Streams.
func (Objects) OpenReader(ctx context.Context, a address.Address, o stream.Options, _ kind.Options) (kind.StreamReader, error) {
	return kind.Site{Site: site(a)}.OpenReader(ctx, o)
}

func site(a address.Address) stream.Site { return stream.Named(path(a), a.String()) }
