package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/stream"
)

func newRecvCommand(a *app) *cobra.Command {
	var o streamFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:        "recv ADDRESS [FILE] [flags]",
		SuggestFor: []string{"receive"},
		Short:      "Receive a file that send moves through shared memory",
		Long: `Recv takes the next file that a "shmkit send" of the same address sends, and
compares its size and SHA-256 checksum with what the sender read. It waits for a
sender. A transfer that is under way when it comes is passed over: it says so,
and waits for the next. A sender that ends in the middle of the file is a
failure.

FILE appears whole or not at all, also if recv is killed; what it replaces stays
until then. If FILE is a directory, the file gets the name it had at the sender.
Without FILE, or with -, the bytes go to standard output as they come, and into
a named pipe or a device likewise: then only the exit code tells whether they
were all and right. A named pipe is opened first, which waits for who reads it.
--json needs FILE.

` + streamMemory("sender or receiver"),
		Example: `  shmkit recv image image.iso
  shmkit recv backup | tar x
  shmkit recv sysv:0x5eed image.iso
  shmkit recv file:/dev/shm/image.stream image.iso
  shmkit recv memfd:812/5 image.iso`,
		Args:              rangeArgs(1, 2),
		ValidArgsFunction: completeEach(completeAll[kind.Streams](a), completeFile),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := append(args, "-")[1]
			if err := misplaced(args[0], name, "ADDRESS comes before FILE"); err != nil {
				return err
			}
			p, err := a.streamArgs(args[0], "recv", &o)
			if err != nil {
				return err
			}
			if asJSON && name == "-" {
				return usagef("--json needs FILE: standard output is the content")
			}
			to, err := a.newTarget(cmd.Context(), name)
			if err != nil {
				return err
			}
			p.Once, p.Follow = true, true
			p.Late = func() {
				fmt.Fprintf(a.err, "%s: a transfer of %s is under way; waiting for the next\n", cmd.CommandPath(), oneLine(p.Address.String()))
			}
			r, err := p.reader(cmd.Context())
			if err != nil {
				return errors.Join(err, to.abort())
			}
			received := receivedJSON{Address: p.Address.String()}
			if err := a.receiveFile(cmd.Context(), r, to, &received, asJSON); err != nil || !asJSON {
				return err
			}
			return a.printJSON(received)
		},
	}
	o.register(a, cmd, stream.Files)
	jsonFlag(cmd, &asJSON, "print one JSON object at the end, and no text")
	return cmd
}

// receivedJSON is what was received, for programs. The keys are stable.
type receivedJSON struct {
	Address string    `json:"address"`
	Output  string    `json:"output"` // the file: of a directory, that in it
	Name    string    `json:"name"`   // that it has at the sender, of standard input "stdin"
	Mode    kind.Mode `json:"mode"`   // that it has there
	Bytes   int64     `json:"bytes"`
	SHA256  string    `json:"sha256"` // it was compared with the sender's
	Seconds float64   `json:"seconds"`
}

func (a *app) receiveFile(ctx context.Context, r kind.StreamReader, to target, received *receivedJSON, asJSON bool) error {
	file := &reception{target: to, newProgress: a.newProgress}
	done, err := r.ReceiveFile(ctx, file, func(_ stream.FileInfo, n int64) { file.bar.set(n) })
	file.bar.end()
	left := r.Close() // before anything that takes time: the sender waits for it
	if err != nil {
		return errors.Join(err, to.abort(), left)
	}
	took := time.Since(file.begin)
	if err := to.commit(); err != nil {
		return errors.Join(err, left)
	}
	received.Output, received.Name, received.Mode = to.path(), done.Info.Name, kind.Mode(done.Info.Mode.Perm())
	received.Bytes, received.SHA256, received.Seconds = done.Bytes, fmt.Sprintf("%x", done.SHA256), took.Seconds()
	if !asJSON {
		fmt.Fprintf(a.err, "received %s in %s, verified: SHA-256 %s\n", transferred(received.Bytes, took), seconds(took), received.SHA256)
	}
	return left
}

// reception watches a file on its way to a target.
type reception struct {
	target
	newProgress func(what string, size int64) *progress
	bar         *progress
	begin       time.Time // of the file, not of its first bytes
}

// Begin implements stream.Sink.
func (r *reception) Begin(info stream.FileInfo) error {
	r.bar.end()
	r.bar, r.begin = r.newProgress("receiving", info.Size), time.Now()
	return r.target.Begin(info)
}

// target is where a received file goes.
type target interface {
	stream.Sink
	// path is where the bytes are, as the user said it.
	path() string
	commit() error
	abort() error
}

// newTarget finds where a received file is to go; - is standard output. What can
// fail without a byte having come fails here, before a sender counts on it.
func (a *app) newTarget(ctx context.Context, name string) (target, error) {
	if name == "-" {
		return &streamTarget{w: a.out, name: "standard output"}, a.canPrint()
	}
	st, err := os.Stat(name)
	switch {
	case name == "":
		return nil, usagef("FILE is empty")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err == nil && !st.IsDir() && !st.Mode().IsRegular():
		f, err := openFile(ctx, name, os.O_WRONLY)
		if err != nil {
			return nil, err
		}
		return &streamTarget{w: f, name: name, file: f}, nil
	}
	t := &fileTarget{given: name, dir: err == nil && st.IsDir()}
	return t, probeOutFile(t.given, t.dir)
}

// streamTarget writes the bytes as they come: to a pipe, a device.
type streamTarget struct {
	w     io.Writer
	name  string
	file  *namedFile // w, if it is ours
	wrote bool
}

func (t *streamTarget) Begin(stream.FileInfo) error {
	if t.wrote {
		return fmt.Errorf("the sender ended before the file did, after some of it was written to %s", t.name)
	}
	return nil
}

func (t *streamTarget) Write(p []byte) (int, error) {
	t.wrote = true
	return t.w.Write(p)
}

func (t *streamTarget) path() string { return t.name }

func (t *streamTarget) commit() error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}

func (t *streamTarget) abort() error { return t.commit() }

// fileTarget makes a file of them, which appears when it is whole.
type fileTarget struct {
	given string // as the user said it
	dir   bool   // it is a directory: the sender says the name
	made  string // what the file is to be called
	*outFile
}

func (t *fileTarget) Begin(info stream.FileInfo) (err error) {
	if t.outFile != nil {
		if t.dir { // another file, maybe of another name
			err = t.outFile.Abort()
			t.outFile = nil
		} else {
			return t.outFile.reset()
		}
	}
	path := t.given
	if t.dir {
		name := filepath.Base(info.Name)
		if name != info.Name || name == "." || name == ".." || name == "/" {
			return fmt.Errorf("the sender names the file %q, which is no file name; give one", info.Name)
		}
		path = filepath.Join(path, name)
	}
	f, cerr := createOutFile(path, info.Mode)
	if cerr == nil {
		t.outFile, t.made = f, path
	}
	return errors.Join(err, cerr)
}

func (t *fileTarget) path() string { return t.made }

func (t *fileTarget) commit() error { return t.outFile.Commit() }

func (t *fileTarget) abort() error {
	if t.outFile == nil {
		return nil
	}
	return t.outFile.Abort()
}
