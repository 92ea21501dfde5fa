package main

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/sysv"
)

func newMsgCommand(a *app) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "msg",
		Short: "Send and receive messages",
		Long: `Msg sends messages to message queues and receives them. Queues are made with
shmkit create msg:….`,
		Example: `  shmkit msg send msg:0x5eed hello
  shmkit msg receive msg:0x5eed`,
	})
	cmd.AddCommand(newMsgSendCommand(a), newMsgReceiveCommand(a))
	return cmd
}

// openQueue opens the queue that an address names.
func (a *app) openQueue(text, verb string) (*sysv.MessageQueue, error) {
	addr, err := a.parseAddress(text)
	if err != nil {
		return nil, err
	}
	k, err := kind.Find[kind.Queue](a.kinds, addr, verb, "messages")
	if err != nil {
		return nil, err
	}
	return k.OpenQueue(addr)
}

func newMsgSendCommand(a *app) *cobra.Command {
	var wait waitFlags
	var typ int64
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "send ADDRESS [TEXT|-] [flags]",
		Short: "Send a message",
		Long: `Send appends one message to a queue: TEXT, or standard input to its end, byte
for byte. It waits while the queue is full.`,
		Example: `  shmkit msg send msg:0x5eed hello
  shmkit msg send msg:0x5eed --type 7 --timeout 2s < request`,
		Args:              rangeArgs(1, 2),
		ValidArgsFunction: completeOne[kind.Queue](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			if typ < 1 {
				return usagef("--type %d: message types begin at 1", typ)
			}
			q, err := a.openQueue(args[0], "msg send")
			if err != nil {
				return err
			}
			var data []byte
			if len(args) == 2 && args[1] != "-" {
				data = []byte(args[1])
			} else if data, err = a.readMessage(cmd.Context()); err != nil {
				return err
			}
			err = wait.do(cmd.Context(), q, "room",
				func(ctx context.Context) error { return q.Send(ctx, typ, data) },
				func() error { return q.TrySend(typ, data) })
			if err != nil || !asJSON {
				return err
			}
			return a.printJSON(messageSentJSON{q.String(), typ, len(data)})
		},
	}
	cmd.Flags().Int64Var(&typ, "type", 1, "type of the message, `N` from 1 on")
	wait.register(cmd)
	jsonFlag(cmd, &asJSON, "print one JSON object")
	return cmd
}

// messageSentJSON is a message that was sent, for programs. The keys are stable.
type messageSentJSON struct {
	Address string `json:"address"`
	Type    int64  `json:"type"`
	Bytes   int    `json:"bytes"`
}

// readMessage reads standard input, and no more of it than a message may have.
func (a *app) readMessage(ctx context.Context) ([]byte, error) {
	l, err := sysv.ReadQueueLimits()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(&input{ctx, a.in}, int64(l.MaxMessage)+1))
	if err != nil {
		return nil, err
	}
	if n > int64(l.MaxMessage) {
		return nil, fmt.Errorf("standard input is longer than the %d bytes that a message may have (kernel.msgmax)", l.MaxMessage)
	}
	return b.Bytes(), nil
}
