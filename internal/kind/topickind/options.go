package topickind

import (
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"syscall"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/topic"
)

// CreateOptions implements kind.Creator.
func (k Topics) CreateOptions() []kind.Option {
	return append(k.settings(), kind.Option{Name: "exclusive", Type: kind.SwitchOption, Usage: "fail if it exists"})
}

// TopicOptions implements kind.Topics.
func (k Topics) TopicOptions() []kind.Option {
	return append(k.settings(),
		kind.Option{Name: "persistent", Type: kind.SwitchOption, Usage: "keep the topic, and its history, when nobody has it open"})
}

// settings are what a topic is made with.
func (Topics) settings() []kind.Option {
	return []kind.Option{
		{Name: "max-message", Type: kind.SizeOption, Placeholder: "BYTES", Usage: "largest message (4096 if not given)"},
		{Name: "depth", Type: kind.NumberOption, Placeholder: "N", Usage: "messages that a subscriber can be behind before publishers wait"},
		{Name: "history", Type: kind.NumberOption, Placeholder: "N", Usage: "messages of each publisher kept for who subscribes later"},
		{Name: "publishers", Type: kind.NumberOption, Placeholder: "N", Usage: "publishers there can be at once"},
		{Name: "subscribers", Type: kind.NumberOption, Placeholder: "N", Usage: "subscribers there can be at once"},
		{Name: "held", Type: kind.NumberOption, Placeholder: "N", Usage: "messages that a subscriber can hold in place"},
		{Name: "loans", Type: kind.NumberOption, Placeholder: "N", Usage: "messages that a publisher can write in place at once"},
		{Name: "best-effort", Type: kind.SwitchOption, Usage: "publishers wait for nobody"},
		{Name: "timestamps", Type: kind.SwitchOption, Usage: "messages carry the time they were published"},
		{Name: "mode", Type: kind.ModeOption, Placeholder: "MODE", Usage: "permissions, octal", Default: fs.FileMode(0o600)},
		{Name: "publish-mode", Type: kind.ModeOption, Placeholder: "MODE", Usage: "who may publish (write) and subscribe (read); if not given as --mode, but writing for the owner alone"},
	}
}

// number is an option that is a number: what it may be, and what a topic has.
type number struct {
	name        string
	least, most int64
	to          *int
	has         int
}

// numbers are those, of options and of a topic.
func numbers(o *topic.Options, s topic.Stat) []number {
	const ring = 1 << 19 // depth and history, each
	return []number{
		{"max-message", 1, topic.MaxMessage, &o.MaxMessage, s.MaxMessage},
		{"depth", 1, ring, &o.Depth, s.Depth},
		{"history", 0, ring, &o.History, s.History},
		{"publishers", 1, topic.MaxPublishers, &o.Publishers, s.MaxPublishers},
		{"subscribers", 1, topic.MaxSubscribers, &o.Subscribers, s.MaxSubscribers},
		{"held", 1, topic.MaxHeld, &o.Held, s.Held},
		{"loans", 1, topic.MaxHeld, &o.Loans, s.Loans},
	}
}

// optionsOf makes the options of package topic of those of a command.
func optionsOf(o kind.Options) (*topic.Options, error) {
	t := &topic.Options{Mode: o.Mode("mode"), PublishMode: o.Mode("publish-mode"), Persistent: o.On("persistent"),
		BestEffort: o.On("best-effort"), Timestamps: o.On("timestamps")}
	for _, n := range numbers(t, topic.Stat{}) {
		v, given := kind.Given[int64](o, n.name)
		switch {
		case !given:
			continue
		case v < n.least || v > n.most:
			return nil, kind.Usage("--%s %d is not between %d and %d", n.name, v, n.least, n.most)
		}
		*n.to = int(v)
	}
	return t, nil
}

// fits returns what of the settings that were given a topic has otherwise.
func fits(a address.Address, o kind.Options, s topic.Stat) error {
	other := func(text string) error {
		return &kind.Error{Text: a.String() + " exists, " + text, Err: fs.ErrExist}
	}
	for _, n := range numbers(&topic.Options{}, s) {
		v, given := kind.Given[int64](o, n.name)
		if n.name == "depth" && given { // which a new topic rounds up
			v = 1<<bits.Len64(uint64(v)+uint64(s.History)-1) - int64(s.History)
		}
		if given && v != int64(n.has) {
			return other(fmt.Sprintf("with --%s %d", n.name, n.has))
		}
	}
	for _, is := range []struct {
		name string
		has  bool
	}{{"best-effort", s.BestEffort}, {"timestamps", s.Timestamps}} {
		if v, given := kind.Given[bool](o, is.name); given && v != is.has {
			return other(fmt.Sprintf("with --%s=%t", is.name, is.has))
		}
	}
	return nil
}

// tooMuch is err, with what to change if there is no room for a topic.
func tooMuch(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.ENOMEM) || errors.Is(err, fs.ErrInvalid) {
		return fmt.Errorf("%w; a lower --max-message, --depth, --history, --publishers, --subscribers or --held takes less memory", err)
	}
	return err
}
