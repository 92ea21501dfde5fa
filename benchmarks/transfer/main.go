// Transfer measures how fast a file's worth of bytes goes from one process to
// another: through the stream of shmkit send and recv, and through a pipe with
// the same checksum on both sides, and without any. The ways take turns within
// each round, so that drift of the machine hits all alike.
//
//	go run ./benchmarks/transfer [-size MiB] [-rounds N]
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/shmkit/shmkit/internal/stream"
	"github.com/shmkit/shmkit/sysv"
)

// chunk is how much the pipes write at once; stream uses the same.
const chunk = 256 << 10

// way is one way to move bytes: what this process does, and what its child does
// with the pipe from it (the stream ignores that).
type way struct {
	name string
	send func(ctx context.Context, pipe io.Writer, n int64) error
	take func(ctx context.Context, pipe io.Reader) error
}

var ways = []way{
	{"shmkit stream, SHA-256 on both sides", sendStream, takeStream},
	{"pipe, SHA-256 on both sides", pipeSender(true), pipeTaker(true)},
	{"pipe, no checksum", pipeSender(false), pipeTaker(false)},
}

func main() {
	log.SetFlags(0)
	size := flag.Int64("size", 256, "MiB to move each time")
	rounds := flag.Int("rounds", 7, "rounds")
	flag.Parse()
	ctx := context.Background()
	if name := os.Getenv("TRANSFER_CHILD"); name != "" {
		for _, w := range ways {
			if w.name == name {
				if err := w.take(ctx, os.Stdin); err != nil {
					log.Fatal(err)
				}
			}
		}
		return
	}
	if *size < 1 || *rounds < 1 {
		log.Fatal("-size and -rounds must be at least 1")
	}
	if err := measure(ctx, *size<<20, *rounds); err != nil {
		log.Fatal(err)
	}
}

func measure(ctx context.Context, n int64, rounds int) error {
	took := make([][]time.Duration, len(ways))
	for range rounds {
		for i, w := range ways {
			d, err := once(ctx, w, n)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			took[i] = append(took[i], d)
		}
	}
	fmt.Printf("%d MiB, %d rounds, median (slowest to fastest); ratio to the pipe with the same checksum\n", n>>20, rounds)
	base := median(took[1])
	for i, w := range ways {
		fmt.Printf("%-40s %6.0f MiB/s (%.0f to %.0f)  %.2f×\n", w.name, rate(n, median(took[i])),
			rate(n, slices.Max(took[i])), rate(n, slices.Min(took[i])), float64(base)/float64(median(took[i])))
	}
	return nil
}

func rate(n int64, d time.Duration) float64 { return float64(n) / (1 << 20) / d.Seconds() }

func median(d []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[len(s)/2]
}

// once moves n bytes one way and returns how long it took from the moment the
// child is known to run.
func once(ctx context.Context, w way, n int64) (d time.Duration, err error) {
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), "TRANSFER_CHILD="+w.name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, cmd.Wait()) }()
	defer in.Close()
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := w.send(ctx, in, n); err != nil {
		return 0, err
	}
	if err := in.Close(); err != nil {
		return 0, err
	}
	_, err = io.ReadFull(out, make([]byte, 1)) // the child has taken everything
	return time.Since(begin), err
}

// source yields n bytes of one block over and over: reading costs a copy.
func source(n int64) io.Reader {
	return io.LimitReader(repeated(strings.Repeat("shared memory ", 1<<15)), n)
}

type repeated string

func (r repeated) Read(p []byte) (int, error) { return copy(p, r), nil }

// say tells the parent that this child is ready, or done.
func say() error {
	_, err := os.Stdout.WriteString("x")
	return err
}

func pipeSender(sum bool) func(context.Context, io.Writer, int64) error {
	return func(_ context.Context, pipe io.Writer, n int64) error {
		if sum {
			pipe = io.MultiWriter(pipe, sha256.New())
		}
		_, err := io.CopyBuffer(struct{ io.Writer }{pipe}, source(n), make([]byte, chunk))
		return err
	}
}

func pipeTaker(sum bool) func(context.Context, io.Reader) error {
	return func(_ context.Context, pipe io.Reader) error {
		if err := say(); err != nil {
			return err
		}
		var to io.Writer = struct{ io.Writer }{io.Discard}
		if sum {
			to = sha256.New()
		}
		if _, err := io.CopyBuffer(to, struct{ io.Reader }{pipe}, make([]byte, chunk)); err != nil {
			return err
		}
		return say()
	}
}

// key of the stream: made of this program's file, so that two copies of it do not
// meet by accident.
func key() (sysv.Key, error) { return sysv.FromPath("/proc/self/exe", 't') }

func sendStream(ctx context.Context, _ io.Writer, n int64) (err error) {
	k, err := key()
	if err != nil {
		return err
	}
	w, err := stream.OpenWriter(ctx, stream.SysV(k), stream.Options{Content: stream.Files})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	_, err = w.SendFile(ctx, source(n), stream.FileInfo{Size: n}, nil)
	return err
}

func takeStream(ctx context.Context, _ io.Reader) (err error) {
	k, err := key()
	if err != nil {
		return err
	}
	r, err := stream.OpenReader(ctx, stream.SysV(k), stream.Options{Content: stream.Files})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := say(); err != nil {
		return err
	}
	if _, err := r.ReceiveFile(ctx, discard{}, nil); err != nil {
		return err
	}
	return say()
}

type discard struct{}

func (discard) Begin(stream.FileInfo) error { return nil }

func (discard) Write(p []byte) (int, error) { return len(p), nil }
