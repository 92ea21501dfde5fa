// Reader prints the lines that examples/writer puts into a System V segment, and
// removes segment and semaphores when the last writer has ended.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"

	"github.com/shmkit/shmkit/sysv"
)

const (
	key  = sysv.Key(0x5eed01) // shared with the writer, like the numbers below
	size = 4096

	full, writers, news = 0, 2, 3 // semaphore 1 is the writers' lock
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := read(ctx); err != nil {
		log.Fatal(err)
	}
}

func read(ctx context.Context) (err error) {
	seg, err := sysv.OpenOrCreate(key, size, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, seg.Remove()) }()
	sem, err := sysv.OpenOrCreateSemaphores(key, 4, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sem.Remove()) }()
	m, err := seg.Attach(&sysv.AttachOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer m.Close()
	box := make([]byte, size)
	for {
		if err := sem.Op(ctx, sysv.Wait(news)); err != nil {
			return err
		}
		n, err := sem.Value(full)
		if err != nil {
			return err
		}
		if n == 0 { // the news is that a writer ended; was it the last?
			if sem.TryOp(sysv.Zero(writers)) == nil {
				return nil
			}
			continue
		}
		if _, err := m.ReadAt(box, 0); err != nil {
			return err
		}
		n, err = strconv.Atoi(string(box[:4]))
		if err != nil || n < 0 || n > size-4 {
			return fmt.Errorf("the box holds no line: %q", box[:4])
		}
		fmt.Println(string(box[4 : 4+n]))
		if err := sem.Op(ctx, sysv.Wait(full)); err != nil { // the box is empty
			return err
		}
	}
}
