package kind

import (
	"context"
	"io"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/stream"
)

// Streams carries lines and files through an object: write, read, send, recv.
type Streams interface {
	// StreamOptions are the options that the kind understands besides, for lines or files.
	StreamOptions(c stream.Content) []Option
	// OpenWriter and OpenReader join the stream at a, making it if need be. The
	// last to leave removes it. own is of StreamOptions.
	OpenWriter(ctx context.Context, a address.Address, o stream.Options, own Options) (StreamWriter, error)
	OpenReader(ctx context.Context, a address.Address, o stream.Options, own Options) (StreamReader, error)
}

// A StreamWriter is what stream.Writer is.
type StreamWriter interface {
	Readers() (int, error)
	WaitReaders(ctx context.Context, n int) error
	WriteLines(ctx context.Context, in io.Reader) (stream.LinesWritten, error)
	SendFile(ctx context.Context, src io.Reader, info stream.FileInfo, progress func(int64)) (stream.Transferred, error)
	Close() error
}

// A StreamReader is what stream.Reader is.
type StreamReader interface {
	ReadLines(ctx context.Context, out io.Writer, most int64) (int64, error)
	ReceiveFile(ctx context.Context, sink stream.Sink, progress func(stream.FileInfo, int64)) (stream.Transferred, error)
	Close() error
}

// OwnNothing is of kinds that have no options of their own for streams.
type OwnNothing struct{}

// StreamOptions implements Streams.
func (OwnNothing) StreamOptions(stream.Content) []Option { return nil }

// Site joins streams at places of package stream.
type Site struct{ stream.Site }

// OpenWriter joins as a writer.
func (s Site) OpenWriter(ctx context.Context, o stream.Options) (StreamWriter, error) {
	w, err := stream.OpenWriter(ctx, s.Site, o)
	if err != nil {
		return nil, err
	}
	return w, nil
}

// OpenReader joins as a reader.
func (s Site) OpenReader(ctx context.Context, o stream.Options) (StreamReader, error) {
	r, err := stream.OpenReader(ctx, s.Site, o)
	if err != nil {
		return nil, err
	}
	return r, nil
}
