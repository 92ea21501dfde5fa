package filekind

import (
	"context"
	"path/filepath"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/stream"
)

// OpenWriter implements kind.Streams.
func (Files) OpenWriter(ctx context.Context, a address.Address, o stream.Options, _ kind.Options) (kind.StreamWriter, error) {
	at, err := site(a)
	if err != nil {
		return nil, err
	}
	return kind.Site{Site: at}.OpenWriter(ctx, o)
}

// OpenReader implements kind.Streams.
func (Files) OpenReader(ctx context.Context, a address.Address, o stream.Options, _ kind.Options) (kind.StreamReader, error) {
	at, err := site(a)
	if err != nil {
		return nil, err
	}
	return kind.Site{Site: at}.OpenReader(ctx, o)
}

// site is where a stream is. A file that is there and is none is left alone, zeros or
// not: it may be a disk image, or space that a database set aside. A slash at the end says that it is a directory.
func site(a address.Address) (stream.Site, error) {
	absolute, err := filepath.Abs(path(a))
	if err != nil {
		return stream.Site{}, err
	}
	if p := path(a); p[len(p)-1] == '/' && absolute != "/" {
		absolute += "/"
	}
	return stream.NamedNew(absolute, a.String()), nil
}
