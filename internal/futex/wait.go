package futex

import (
	"context"
	"time"

	"github.com/shmkit/shmkit/internal/words"
)

// Wait sleeps while the word is v, for those who all want to know when it changes. It
// returns as Sleep does. Of all who wait on the same value one sleeps in the kernel; when
// it returns it calls the next, who returns as well if the word has changed, and so
// on. Each has its bound only while it is the one.
func Wait(ctx context.Context, word *words.Uint32, v uint32, bound time.Duration) error {
	w := enter(word, key{word: word, v: v})
	defer w.Leave()
	return w.Sleep(ctx, v, bound)
}
