package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/topic"
)

func newPubCommand(a *app) *cobra.Command {
	var p publishing
	var flags *kindFlags
	cmd := &cobra.Command{
		Use:        "pub NAME [flags]",
		SuggestFor: []string{"publish"},
		Short:      "Publish lines to a topic, for echo and others to receive",
		Long: `Pub publishes each line of its standard input to a topic, as a message of its own:
everybody who has subscribed gets it. NAME is the name of the topic, or its address,
topic:NAME. The newline is not part of the message; an empty line is an empty
message, and what stands behind the last newline is one too. With --framed the input
is messages of any bytes, each with its length in front: 4 bytes, little endian.

The topic is made if there is none. What it is made with, --depth and the like,
must be what it was made with if there is one. It goes when nobody has it open,
unless it is --persistent or was made by shmkit create; who subscribes later gets
the last --history messages of each publisher, and no others.

It waits while a subscriber is behind by the --depth of the topic: for each message
--timeout long, and with --nowait not at all, which is a failure; with --drop such a
message is thrown away. Subscribers of best effort, and of a topic that was made
--best-effort, are not waited for: they miss messages. Nor is one that died.

It ends at the end of its input, or after --count messages. A message that is longer
than the topic was made for is an error. With any error pub says how many it has
published.`,
		Example: `  dmesg --follow | shmkit pub log --drop
  seq 100 | shmkit pub topic:numbers --rate 10 --history 5 --persistent
  shmkit pub camera --max-message 4M --framed < frames`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.Topics](a),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := p.check(cmd); err != nil {
				return err
			}
			addr, k, err := a.topicOf(args[0], "pub")
			if err != nil {
				return err
			}
			o, _, err := flags.options(addr)
			if err != nil {
				return err
			}
			if err := a.canRead(); err != nil {
				return err
			}
			t, err := k.OpenTopic(addr, o)
			if errors.Is(err, topic.ErrType) {
				err = fmt.Errorf("%w; the command publishes bytes, values of a type only its programs do", err)
			}
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, t.Close()) }()
			return p.run(cmd.Context(), a, t)
		},
	}
	cmd.Flags().Int64Var(&p.count, "count", 0, "end after `N` messages (default: no bound)")
	cmd.Flags().Float64Var(&p.rate, "rate", 0, "publish at most `N` messages a second (default: no bound)")
	p.format.register(cmd, "a message of the input")
	p.wait.register(cmd)
	cmd.Flags().BoolVar(&p.drop, "drop", false, "throw a message away for which there is no room, at once or after --timeout")
	jsonFlag(cmd, &p.asJSON, "print one JSON object at the end, and no text")
	flags = newKindFlags(a, cmd, kind.Topics.TopicOptions)
	return cmd
}

// publishing is how to publish, and what was published so far.
type publishing struct {
	count        int64
	rate         float64
	drop, asJSON bool
	format       messageFormat
	wait         waitFlags

	address              string
	sent, dropped, bytes int64
	next                 time.Time // when the next message may go, if there is a rate
}

// publishedJSON is what was published, for programs. The keys are stable.
type publishedJSON struct {
	Address  string `json:"address"`
	Messages int64  `json:"messages"`
	Dropped  int64  `json:"dropped"`
	Bytes    int64  `json:"bytes"` // of the messages, without the dropped ones
}

func (p *publishing) check(cmd *cobra.Command) error {
	switch {
	case p.count < 1 && cmd.Flags().Changed("count"):
		return usagef("--count must be at least 1, not %d", p.count)
	case cmd.Flags().Changed("rate") && !(p.rate >= 1e-6 && p.rate <= 1e9):
		return usagef("--rate must be above 0, and at most 1e9, not %v", p.rate)
	case p.drop && p.wait.noWait:
		return usagef("--drop and --nowait exclude each other")
	}
	return p.wait.check()
}

func (p *publishing) run(ctx context.Context, a *app, t *topic.Bytes) error {
	s, err := t.Stat()
	if err != nil {
		return err
	}
	to, err := t.Publisher()
	if err != nil {
		return err
	}
	p.address = t.Name()
	in := newMessageReader(&input{ctx, a.in}, p.format, s.MaxMessage)
	err = p.all(ctx, to, in)
	if err != nil {
		err = p.failed(a, in, err)
	}
	if p.dropped > 0 && !p.asJSON {
		fmt.Fprintf(a.err, "shmkit pub: dropped %s: a subscriber was behind\n", p.format.nouns(p.dropped))
	}
	if err := errors.Join(err, to.Close()); err != nil || !p.asJSON {
		return err
	}
	return a.printJSON(publishedJSON{p.address, p.sent, p.dropped, p.bytes})
}

// all publishes every message of the input.
func (p *publishing) all(ctx context.Context, to *topic.BytesPublisher, in *messageReader) error {
	for p.count == 0 || p.sent+p.dropped < p.count {
		message, err := in.next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = p.pace(ctx)
		}
		if err == nil {
			err = p.send(ctx, to, message)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pace waits as the rate demands.
func (p *publishing) pace(ctx context.Context) error {
	if p.rate == 0 {
		return nil
	}
	now := time.Now()
	if d := p.next.Sub(now); d > 0 {
		if err := pause(ctx, d); err != nil {
			return err
		}
		now = p.next // so that what the pause was too long does not add up
	}
	p.next = now.Add(time.Duration(float64(time.Second) / p.rate))
	return nil
}

// send publishes a message, or drops it.
func (p *publishing) send(ctx context.Context, to *topic.BytesPublisher, message []byte) error {
	if err := ctx.Err(); err != nil { // a Send that finds room does not look
		return err
	}
	wait := p.wait
	wait.noWait = wait.noWait || p.drop && !wait.timeout.given
	err := wait.do(ctx, text(p.address), "its slowest subscriber",
		func(ctx context.Context) error { return to.Send(ctx, message) },
		func() error { return to.TrySend(message) })
	late := (*waitError)(nil)
	switch {
	case err == nil:
		p.sent++
		p.bytes += int64(len(message))
	case p.drop && errors.As(err, &late):
		p.dropped++
		return nil
	}
	return err
}

// failed says with an error what of the input was published.
func (p *publishing) failed(a *app, in *messageReader, err error) error {
	if errors.Is(err, errTooLong) {
		err = fmt.Errorf("%w for a message of %s (--max-message when it is made)", err, oneLine(p.address))
	}
	said := fmt.Sprintf("%s published before", p.format.nouns(p.sent)+" "+wasWere(p.sent))
	if errors.Is(err, context.Canceled) { // by the user, who is not told of that
		if in.part || in.got > p.sent+p.dropped {
			fmt.Fprintf(a.err, "shmkit pub: interrupted: %s\n", said)
		}
		return err
	}
	return fmt.Errorf("%w; %s", err, said)
}
