// Package topickind has the kind topic: publish and subscribe between processes, as package topic
// makes it.
package topickind

import (
	"errors"
	"io/fs"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/named"
	"github.com/shmkit/shmkit/topic"
)

// Topics is the kind topic.
type Topics struct{ named.Kind }

// New returns the kind.
func New() Topics {
	return Topics{named.Kind{Word: "topic", Heading: "topics", NamesOf: topic.Names, RemoveOne: topic.Remove}}
}

// What topics can do.
var (
	_ kind.Creator    = Topics{}
	_ kind.Inspected  = Topics{}
	_ kind.Stater     = Topics{}
	_ kind.Disposable = Topics{}
	_ kind.Completer  = Topics{}
	_ kind.Topics     = Topics{}
	_ kind.Streams    = Topics{}
)

// Create implements kind.Creator. What the command makes stays until it is removed: the
// command itself does not keep it.
func (k Topics) Create(a address.Address, o kind.Options) (kind.Object, bool, error) {
	options, err := optionsOf(o)
	if err != nil {
		return kind.Object{}, false, err
	}
	options.Persistent = true
	for {
		t, err := topic.CreateBytes(named.Of(a), options)
		if err == nil {
			if err := t.Close(); err != nil {
				return kind.Object{}, true, err
			}
			made, err := k.Stat(a)
			return made, true, err
		}
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, topic.ErrType) || o.On("exclusive") {
			return kind.Object{}, false, tooMuch(err)
		}
		v, err := topic.Look(named.Of(a), "")
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is gone
		}
		if err == nil {
			err = fits(a, o, v.Stat)
		}
		if err == nil && v.Type != topic.BytesType {
			err = &kind.Error{Text: a.String() + " exists, and its messages are not bytes but " + v.Type, Err: topic.ErrType}
		}
		if err != nil {
			return kind.Object{}, false, err
		}
		return k.describe(a, v, nil, &kind.Names{}), false, nil
	}
}

// OpenTopic implements kind.Topics.
func (Topics) OpenTopic(a address.Address, o kind.Options) (*topic.Bytes, error) {
	options, err := optionsOf(o)
	if err != nil {
		return nil, err
	}
	t, err := topic.OpenOrCreateBytes(named.Of(a), options)
	if err != nil {
		return nil, tooMuch(err)
	}
	s, err := t.Stat()
	if err == nil {
		err = fits(a, o, s)
	}
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Subscribe implements kind.Topics.
func (Topics) Subscribe(a address.Address, o topic.SubscriberOptions) (*topic.BytesSubscriber, error) {
	s, err := topic.NewRawSubscriber(named.Of(a), &o)
	if err != nil {
		return nil, named.Missing(a, err)
	}
	return s, nil
}
