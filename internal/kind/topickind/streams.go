package topickind

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/named"
	"github.com/shmkit/shmkit/internal/stream"
)

// StreamOptions implements kind.Streams. They are those of create with other words.
func (Topics) StreamOptions(c stream.Content) []kind.Option {
	subscribers := kind.Option{Name: "subscribers", Type: kind.NumberOption, Placeholder: "N", Usage: "readers there can be at once, if it is made", Default: int64(stream.DefaultTopicReaders)}
	if c == stream.Files {
		subscribers.Usage = "receivers there can be at once, if it is made"
		return []kind.Option{subscribers}
	}
	return []kind.Option{
		{Name: "max-message", Type: kind.SizeOption, Placeholder: "BYTES", Usage: "longest line, if it is made", Default: int64(stream.DefaultMaxLine)},
		{Name: "publishers", Type: kind.NumberOption, Placeholder: "N", Usage: "writers there can be at once, if it is made", Default: int64(stream.DefaultTopicWriters)},
		subscribers,
		{Name: "history", Type: kind.NumberOption, Placeholder: "N", Usage: "lines of each writer kept for later readers, if it is made"},
	}
}

// OpenWriter implements kind.Streams.
func (Topics) OpenWriter(ctx context.Context, a address.Address, o stream.Options, own kind.Options) (kind.StreamWriter, error) {
	if err := settings(&o, own); err != nil {
		return nil, err
	}
	w, err := stream.OpenTopicWriter(ctx, named.Of(a), o)
	if err != nil {
		return nil, noRoom(err, o.Content)
	}
	return w, nil
}

// OpenReader implements kind.Streams.
func (Topics) OpenReader(ctx context.Context, a address.Address, o stream.Options, own kind.Options) (kind.StreamReader, error) {
	if err := settings(&o, own); err != nil {
		return nil, err
	}
	r, err := stream.OpenTopicReader(ctx, named.Of(a), o)
	if err != nil {
		return nil, noRoom(err, o.Content)
	}
	return r, nil
}

// settings checks the options and takes them over.
func settings(o *stream.Options, own kind.Options) error {
	for _, s := range []struct {
		name        string
		least, most int64
		to          *int
	}{
		{"max-message", 1, stream.MaxTopicLine, &o.Topic.MaxLine},
		{"publishers", 1, stream.MaxTopicWriters, &o.Topic.Writers},
		{"subscribers", 1, stream.MaxTopicReaders, &o.Topic.Readers},
		{"history", 0, stream.MaxTopicHistory, &o.Topic.History},
	} {
		n, given := kind.Given[int64](own, s.name)
		if !given {
			continue
		}
		if n < s.least || n > s.most {
			return kind.Usage("--%s %d is not between %d and %d", s.name, n, s.least, s.most)
		}
		*s.to = int(n)
	}
	return nil
}

// noRoom is err, with what to change if there is no room for a topic.
func noRoom(err error, c stream.Content) error {
	switch {
	case !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.ENOMEM):
		return err
	case c == stream.Files:
		return fmt.Errorf("%w; a lower --size or --subscribers takes less memory", err)
	}
	return fmt.Errorf("%w; a lower --size, --max-message, --publishers, --subscribers or --history takes less memory", err)
}
