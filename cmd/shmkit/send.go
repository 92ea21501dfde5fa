package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/stream"
)

func newSendCommand(a *app) *cobra.Command {
	var o streamFlags
	var receivers int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "send FILE ADDRESS [flags]",
		Short: "Send a file through shared memory to recv",
		Long: `Send moves a file (- is standard input) through shared memory to every "shmkit
recv" of the same address that is there when it begins. It uses a bounded piece
of memory whatever the size of the file. Of a file that grows it sends what
there was when it was opened.

It waits for its first receiver (or --receivers of them) and ends when every
receiver has the file or is gone. It fails if none got the whole file with the
right SHA-256 checksum. Several senders take turns.

` + streamMemory("sender or receiver"),
		Example: `  shmkit send image.iso image
  tar c dir | shmkit send - backup
  shmkit send image.iso sysv:0x5eed
  shmkit send image.iso file:/dev/shm/image.stream --receivers 2
  shmkit send image.iso memfd:812/5`,
		Args:              exactArgs(2),
		ValidArgsFunction: completeEach(completeFile, completeAll[kind.Streams](a)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if receivers < 1 || receivers > stream.MaxReaders {
				return usagef("--receivers must be 1 to %d, not %d", stream.MaxReaders, receivers)
			}
			if err := misplaced(args[1], args[0], "FILE comes before ADDRESS"); err != nil {
				return err
			}
			p, err := a.streamArgs(args[1], "send", &o)
			if err != nil {
				return err
			}
			addr := p.Address.String()
			src, info, err := a.openSource(cmd.Context(), args[0], "shmkit send - "+addr)
			if err != nil {
				return err
			}
			defer src.Close()
			p.Receivers = receivers
			w, err := p.writer(cmd.Context())
			if err != nil {
				return err
			}
			err = a.awaitReaders(cmd.Context(), w, receivers, "receiver", "shmkit recv "+addr)
			sent := sentJSON{Address: addr, File: args[0]}
			if err == nil {
				err = a.sendFile(cmd.Context(), w, src, info, &sent, asJSON)
			}
			if err = errors.Join(err, w.Close()); err != nil || !asJSON {
				return err
			}
			return a.printJSON(sent)
		},
	}
	o.register(a, cmd, stream.Files)
	cmd.Flags().IntVar(&receivers, "receivers", 1, "wait for `N` receivers before beginning")
	jsonFlag(cmd, &asJSON, "print one JSON object at the end, and no text")
	return cmd
}

// sentJSON is what was sent, for programs. The keys are stable.
type sentJSON struct {
	Address   string  `json:"address"`
	File      string  `json:"file"` // as it was said; "-" is standard input
	Bytes     int64   `json:"bytes"`
	SHA256    string  `json:"sha256"`
	Seconds   float64 `json:"seconds"`
	Receivers int     `json:"receivers"` // that have all of it and found the checksum right
}

// openSource opens what is to be taken from a file; - is standard input, from which
// command would take it.
func (a *app) openSource(ctx context.Context, name, command string) (io.ReadCloser, stream.FileInfo, error) {
	if name == "-" {
		if err := a.canRead(); err != nil {
			return nil, stream.FileInfo{}, err
		}
		return io.NopCloser(&input{ctx, a.in}), stream.FileInfo{Name: "stdin", Size: -1, Mode: 0o644}, nil
	}
	if name == "" {
		return nil, stream.FileInfo{}, usagef("FILE is empty")
	}
	f, err := openFile(ctx, name, os.O_RDONLY)
	if err != nil {
		return nil, stream.FileInfo{}, err
	}
	st, err := f.Stat()
	if err == nil && st.IsDir() {
		err = fmt.Errorf("%s is a directory; give one file, or an archive: tar c %s | %s", name, name, command)
	}
	if err != nil {
		return nil, stream.FileInfo{}, errors.Join(err, f.Close())
	}
	info := stream.FileInfo{Name: filepath.Base(name), Size: -1, Mode: st.Mode().Perm()}
	if st.Mode().IsRegular() && st.Size() > 0 { // files of /proc say 0 and have more
		info.Size = st.Size()
		// A file that grows would have no end: what was there now is the file.
		return readCloser{io.LimitReader(f, info.Size), f}, info, nil
	}
	return f, info, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

func (a *app) sendFile(ctx context.Context, w kind.StreamWriter, src io.Reader, info stream.FileInfo, sent *sentJSON, asJSON bool) error {
	bar := a.newProgress("sending", info.Size)
	begin := time.Now()
	done, err := w.SendFile(ctx, src, info, bar.set)
	bar.end()
	if err != nil {
		return err
	}
	took := time.Since(begin)
	sent.Bytes, sent.SHA256, sent.Seconds, sent.Receivers = done.Bytes, fmt.Sprintf("%x", done.SHA256), took.Seconds(), done.Receivers
	if !asJSON {
		fmt.Fprintf(a.err, "sent %s in %s to %s, all verified: SHA-256 %s\n",
			transferred(sent.Bytes, took), seconds(took), count(sent.Receivers, "receiver"), sent.SHA256)
	}
	return nil
}

// transferred is how much was moved and how fast: "64.0 MiB (1.2 GiB/s)".
func transferred(n int64, took time.Duration) string {
	return fmt.Sprintf("%s (%s/s)", formatSize(uint64(n)), formatSize(uint64(float64(n)/max(took.Seconds(), 1e-9))))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }
