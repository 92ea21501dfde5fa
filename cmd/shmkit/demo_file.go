package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/shmkit/shmkit/topic"
)

// checkFile checks --file.
func (d *demo) checkFile() error {
	if d.file == "" {
		return nil
	}
	st, err := os.Stat(d.file)
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", d.file)
	}
	return err
}

// sendFile is the first step: a real file from one process to another.
func (d *demo) sendFile(ctx context.Context) (err error) {
	d.title("1. A file through memory")
	dir, err := os.MkdirTemp("", "shmkit-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	source := d.file
	if source == "" {
		source = filepath.Join(dir, "original")
		if err := makeFile(source, minDemoFile); err != nil {
			return err
		}
	}
	st, err := os.Stat(source)
	if err != nil {
		return err
	}
	addr := d.topic()
	received := filepath.Join(dir, "received")
	d.say("%s of file, two processes:", formatSize(uint64(st.Size())))
	recv, err := d.start(ctx, "recv", addr, received)
	if err != nil {
		return err
	}
	defer recv.stop()
	begin := time.Now()
	send, err := d.start(ctx, "send", source, addr)
	if err != nil {
		return err
	}
	defer send.stop()
	d.watch(addr, send, recv)
	if err := errors.Join(send.wait(), recv.wait()); err != nil {
		return err
	}
	took := time.Since(begin)
	want, n, err := sumFile(source)
	if err != nil {
		return err
	}
	got, m, err := sumFile(received)
	if err != nil {
		return err
	}
	d.result.Bytes, d.result.SHA256, d.result.BytesPerSecond = m, hexSum(got), float64(m)/took.Seconds()
	if n != m || hexSum(want) != hexSum(got) {
		return fmt.Errorf("the received file differs: %d bytes with SHA-256 %x, sent %d with %x", m, got, n, want)
	}
	d.say("Both files are the same to the last byte: SHA-256 %s…", hexSum(got)[:16])
	d.say("All of it took %s: %s.", seconds(took), transferred(m, took))
	return nil
}

// watch shows what the kernel knows of the memory while the transfer goes on.
// A small file may be through before it was seen.
func (d *demo) watch(name string, send, recv *process) {
	for {
		select {
		case <-send.done:
			return
		case <-time.After(time.Millisecond):
		}
		v, err := topic.Look(name, "")
		if err != nil {
			continue
		}
		sends, receives := mappedAs(send.pid(), v.MessagesPath), mappedAs(recv.pid(), v.MessagesPath)
		if !slices.Contains(sends, "rw-s") || !slices.Contains(receives, "r--s") {
			continue
		}
		d.say("The kernel says: both map the same %s, %s.", formatSize(uint64(v.MessagesSize)), v.MessagesPath)
		if !slices.Contains(receives, "rw-s") {
			d.say("Process %d writes there (rw-s), %d can only read it (r--s).", send.pid(), recv.pid())
		}
		return
	}
}

// mappedAs returns how a process maps a file, in the words of proc_pid_maps(5).
func mappedAs(pid int, path string) (as []string) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(maps)) {
		if f := strings.Fields(line); strings.HasSuffix(line, " "+path+"\n") && len(f) > 1 {
			as = append(as, f[1])
		}
	}
	return as
}

// makeFile writes size bytes that do not repeat.
func makeFile(path string, size int64) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	if _, err := io.CopyN(w, rand.NewChaCha8([32]byte{'s', 'h', 'm'}), size); err != nil {
		return err
	}
	return w.Flush()
}

func sumFile(path string) ([]byte, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return h.Sum(nil), n, err
}
