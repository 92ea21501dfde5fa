package sysv_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/shmkit/shmkit/sysv"
)

// Messages have a type, by which the receiver chooses.
func ExampleMessageQueue() {
	q, err := sysv.CreateQueue(sysv.Private, 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Remove()

	const urgent, normal = 1, 2
	ctx := context.Background()
	for _, m := range []struct {
		typ  int64
		text string
	}{{normal, "tea"}, {urgent, "fire"}, {normal, "cake"}} {
		if err := q.Send(ctx, m.typ, []byte(m.text)); err != nil {
			fmt.Println(err)
			return
		}
	}
	buf := make([]byte, 100)
	for {
		typ, n, err := q.TryReceive(sysv.UpTo(normal), buf) // the lowest type first
		if errors.Is(err, sysv.ErrWouldBlock) {
			break // empty
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d %s\n", typ, buf[:n])
	}
	// Output:
	// 1 fire
	// 2 tea
	// 2 cake
}

// Peek looks at what waits and takes nothing.
func ExampleMessageQueue_Peek() {
	q, err := sysv.CreateQueue(sysv.Private, 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Remove()
	for i, text := range []string{"first", "a long second message"} {
		if err := q.TrySend(int64(i+1), []byte(text)); err != nil {
			fmt.Println(err)
			return
		}
	}
	buf := make([]byte, 8)
	for position := 0; ; position++ {
		typ, n, err := q.Peek(position, true, buf)
		if errors.Is(err, sysv.ErrWouldBlock) {
			break // no more
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d: type %d %q\n", position, typ, buf[:n])
	}
	info, err := q.Stat()
	fmt.Println(info.Messages, "messages are still there", err)
	// Output:
	// 0: type 1 "first"
	// 1: type 2 "a long s"
	// 2 messages are still there <nil>
}
