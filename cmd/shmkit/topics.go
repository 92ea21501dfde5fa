package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"time"
	"unicode/utf8"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/topic"
)

// topicOf finds the topic of a name, or of its address.
func (a *app) topicOf(text, verb string) (address.Address, kind.Topics, error) {
	addr, err := address.ParseAs("topic", text)
	if err != nil {
		return addr, nil, &kind.UsageError{Err: err}
	}
	k, err := kind.Find[kind.Topics](a.kinds, addr, verb, "messages")
	return addr, k, err
}

// subscribe subscribes to a topic. If there is none it makes one of bytes, or waits until somebody
// has made one.
func (a *app) subscribe(ctx context.Context, addr address.Address, k kind.Topics, o topic.SubscriberOptions, verb string, wait bool) (*topic.BytesSubscriber, error) {
	for told := false; ; {
		s, err := k.Subscribe(addr, o)
		switch {
		case !errors.Is(err, fs.ErrNotExist):
			return s, err
		case wait:
			if !told {
				fmt.Fprintf(a.err, "shmkit %s: waiting for %s to be made\n", verb, oneLine(addr.String()))
				told = true
			}
			if err := pause(ctx, topicPoll); err != nil {
				return nil, err
			}
			continue
		}
		t, err := k.OpenTopic(addr, kind.Options{})
		if errors.Is(err, topic.ErrType) {
			continue // somebody was faster
		}
		if err != nil {
			return nil, err
		}
		s, err = t.Subscriber(&o)
		return s, errors.Join(err, t.Close())
	}
}

// topicPoll is how often somebody looks whether there is a topic.
const topicPoll = 50 * time.Millisecond

// pause waits so long.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// publicationJSON is a message of a topic, for programs. The keys are stable.
type publicationJSON struct {
	Sequence  uint64  `json:"sequence"` // of its publisher
	Publisher uint32  `json:"publisher"`
	Missed    uint64  `json:"missed"`  // messages in front of it
	Time      *int64  `json:"time_ns"` // CLOCK_MONOTONIC; null if the topic has no timestamps
	Bytes     int     `json:"bytes"`
	Text      *string `json:"text"`   // null if it isn't UTF-8, or a value of a type
	Base64    *string `json:"base64"` // null if it is
}

func newPublicationJSON(i topic.Info, data []byte, typed, timed bool) publicationJSON {
	j := publicationJSON{Sequence: i.Sequence, Publisher: i.Publisher, Missed: i.Missed, Bytes: len(data)}
	if timed {
		ns := int64(i.Time)
		j.Time = &ns
	}
	if text := string(data); !typed && utf8.ValidString(text) {
		j.Text = &text
	} else {
		text = base64.StdEncoding.EncodeToString(data)
		j.Base64 = &text
	}
	return j
}

// missedTeller tells of missed messages, about once a second.
type missedTeller struct {
	a    *app
	verb string
	told uint64
	next time.Time
}

// missed is called with how many there are by now.
func (m *missedTeller) missed(all uint64) {
	if all == m.told {
		return
	}
	if now := time.Now(); now.After(m.next) {
		m.next = now.Add(time.Second)
		m.last(all)
	}
}

// last tells what was not told yet.
func (m *missedTeller) last(all uint64) {
	if all != m.told {
		fmt.Fprintf(m.a.err, "shmkit %s: missed %s\n", m.verb, plural(int(all-m.told), "message", "messages"))
	}
	m.told = all
}
