package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// What the writer types unless the user does.
const demoLines = `Linux lends several processes one piece of memory,
and does nothing more: no queue, no lock, no order.
A topic gives each writer a place of its own in it.
Each reader says in its own how far it has read.
If a process is killed, its place is free, and the others go on.
`

// typeLines is the second step: a writer and two readers.
func (d *demo) typeLines(ctx context.Context) error {
	d.title("2. Lines from a writer to two readers")
	addr := d.topic()
	var readers [2]*process
	var err error
	for i := range readers {
		if readers[i], err = d.start(ctx, "read", addr); err != nil {
			return err
		}
		defer readers[i].stop()
	}
	// Two readers before the first line, so that both see all of them.
	writer, err := d.start(ctx, "write", addr, "--readers", fmt.Sprint(len(readers)))
	if err != nil {
		return err
	}
	defer writer.stop()
	var typed bytes.Buffer
	if d.interactive {
		d.say("Type some lines; Ctrl-D ends.")
		err = d.typeFrom(ctx, writer, io.TeeReader(d.in, &typed))
	} else {
		for line := range strings.Lines(demoLines) {
			d.say("  writer %d types   %s", writer.pid(), strings.TrimSuffix(line, "\n"))
		}
		err = d.typeFrom(ctx, writer, io.TeeReader(strings.NewReader(demoLines), &typed))
	}
	if err != nil {
		return err
	}
	if err := errors.Join(writer.wait(), readers[0].wait(), readers[1].wait()); err != nil {
		return err
	}
	want := typed.String()
	if want != "" && !strings.HasSuffix(want, "\n") {
		want += "\n"
	}
	for _, r := range readers {
		if r.out.String() != want {
			return fmt.Errorf("reader %d printed %q, typed was %q", r.pid(), r.out.String(), want)
		}
		for line := range strings.Lines(r.out.String()) {
			d.say("  reader %d prints  %s", r.pid(), strings.TrimSuffix(line, "\n"))
		}
	}
	d.result.Lines, d.result.Readers = strings.Count(want, "\n"), len(readers)
	d.say("Both readers printed every line, once and in order.")
	return nil
}

// typeFrom gives the writer what is typed and ends its input.
func (d *demo) typeFrom(ctx context.Context, w *process, from io.Reader) error {
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(w.in, from)
		done <- errors.Join(err, w.in.Close())
	}()
	select {
	case err := <-done:
		if errors.Is(err, os.ErrClosed) {
			err = nil
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
