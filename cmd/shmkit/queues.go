package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/queue"
)

// openWorkQueue opens the queue of a name, or of its address.
func (a *app) openWorkQueue(text, verb string, flags *kindFlags, existing bool) (*queue.Bytes, error) {
	addr, err := address.ParseAs("queue", text)
	if err != nil {
		return nil, &kind.UsageError{Err: err}
	}
	k, err := kind.Find[kind.WorkQueues](a.kinds, addr, verb, "items")
	if err != nil {
		return nil, err
	}
	o := kind.Options{}
	if flags != nil {
		if o, _, err = flags.options(addr); err != nil {
			return nil, err
		}
	}
	q, err := k.OpenWorkQueue(addr, o, existing)
	if errors.Is(err, queue.ErrType) {
		err = fmt.Errorf("%w; the command takes items of bytes, those of a type are its program's", err)
	}
	return q, err
}

// itemJSON is an item of a queue, for programs. The keys are stable.
type itemJSON struct {
	Sequence   uint64  `json:"sequence"`
	Deliveries int     `json:"deliveries"`
	Bytes      int     `json:"bytes"`
	Text       *string `json:"text"`   // null if it isn't UTF-8
	Base64     *string `json:"base64"` // null if it is
}

func newItemJSON(i *queue.BytesItem) itemJSON {
	j := itemJSON{Sequence: i.Sequence(), Deliveries: i.Deliveries(), Bytes: len(i.Data())}
	if text := string(i.Data()); utf8.ValidString(text) {
		j.Text = &text
	} else {
		text = base64.StdEncoding.EncodeToString([]byte(text))
		j.Base64 = &text
	}
	return j
}
