package sysvkind

import (
	"context"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/stream"
	"github.com/shmkit/shmkit/sysv"
)

var _ kind.Streams = Segments{}

// OpenWriter implements kind.Streams.
func (Segments) OpenWriter(ctx context.Context, a address.Address, o stream.Options, _ kind.Options) (kind.StreamWriter, error) {
	key, err := streamKey(a)
	if err != nil {
		return nil, err
	}
	return kind.Site{Site: stream.SysV(key)}.OpenWriter(ctx, o)
}

// OpenReader implements kind.Streams.
func (Segments) OpenReader(ctx context.Context, a address.Address, o stream.Options, _ kind.Options) (kind.StreamReader, error) {
	key, err := streamKey(a)
	if err != nil {
		return nil, err
	}
	return kind.Site{Site: stream.SysV(key)}.OpenReader(ctx, o)
}

// streamKey returns the key that segment and semaphores of a stream share. A
// segment given by its identifier must have one.
func streamKey(a address.Address) (sysv.Key, error) {
	key, ok, err := keyOf(a)
	if err != nil {
		return 0, err
	}
	if !ok {
		seg, err := openSegment(a)
		if err != nil {
			return 0, err
		}
		info, err := statSegment(seg)
		if err != nil {
			return 0, err
		}
		key = info.Key
	}
	if key == sysv.Private {
		return 0, kind.Usage("%s has no key, which readers and writers find each other by; say %s:KEY", a, a.Kind)
	}
	return key, nil
}
