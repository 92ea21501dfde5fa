package topic_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/shmkit/shmkit/topic"
)

func Example() {
	// A directory of its own, so that the example meets nobody.
	dir, err := os.MkdirTemp("", "topic")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	type Reading struct {
		Station int64
		Celsius float64
	}
	ctx := context.Background()
	pub, err := topic.NewPublisher[Reading]("weather", &topic.Options{Dir: dir, History: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer pub.Close()
	for n := range int64(4) {
		if err := pub.Send(ctx, &Reading{n, 20.5}); err != nil {
			log.Fatal(err)
		}
	}

	// What follows would be another process, which comes late: it gets the history.
	sub, err := topic.NewSubscriber[Reading]("weather", &topic.SubscriberOptions{Topic: &topic.Options{Dir: dir}})
	if err != nil {
		log.Fatal(err)
	}
	defer sub.Close()
	for {
		msg, err := sub.TryReceive()
		if errors.Is(err, topic.ErrEmpty) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("message %d: station %d, %.1f °C\n", msg.Sequence, msg.Data().Station, msg.Data().Celsius)
		if err := msg.Release(); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// message 3: station 2, 20.5 °C
	// message 4: station 3, 20.5 °C
}

// A large message is written in place: nothing of it is copied.
func ExamplePublisher_Loan() {
	dir, err := os.MkdirTemp("", "topic")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	options := &topic.Options{Dir: dir, MaxMessage: 1 << 20, Depth: 4, Publishers: 1, Subscribers: 2}
	sub, err := topic.NewBytesSubscriber("images", &topic.SubscriberOptions{Topic: options})
	if err != nil {
		log.Fatal(err)
	}
	defer sub.Close()
	pub, err := topic.NewBytesPublisher("images", options)
	if err != nil {
		log.Fatal(err)
	}
	defer pub.Close()

	loan, err := pub.Loan(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	n := copy(loan.Data(), "anything that writes to a slice of bytes")
	if err := loan.Publish(n); err != nil {
		log.Fatal(err)
	}

	msg, err := sub.Receive(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", msg.Data())
	if err := msg.Release(); err != nil {
		log.Fatal(err)
	}
	// Output: anything that writes to a slice of bytes
}
