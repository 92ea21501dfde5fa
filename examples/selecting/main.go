// Selecting: a select over a topic and a timer. A process of its own publishes readings; here they are
// counted, and each tenth of a second the timer tells how many there were.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/topic"
)

const readings = 300

// Reading is a message.
type Reading struct {
	Number  int64
	Celsius float64
}

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if len(os.Args) > 1 {
		publish(ctx)
		return
	}
	sub, err := topic.NewSubscriber[Reading]("weather", nil)
	must(err)
	station := exec.Command("/proc/self/exe", "publish")
	station.Stderr = os.Stderr
	station.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(station.Start())

	messages := sub.Channel(ctx, 8)
	timer := time.NewTicker(100 * time.Millisecond)
	count, sum := 0, 0.0
	for count < readings {
		select {
		case msg, ok := <-messages.C:
			if !ok {
				log.Fatal(messages.Err())
			}
			count++
			sum += msg.Data().Celsius
			must(msg.Release())
		case <-timer.C:
			fmt.Printf("%d readings so far\n", count)
		}
	}
	fmt.Printf("%d readings, %.2f °C on average\n", count, sum/float64(count))
	cancel() // releases what the channel holds
	for range messages.C {
	}
	must(station.Wait())
	must(sub.Close())
}

func publish(ctx context.Context) {
	pub, err := topic.NewPublisher[Reading]("weather", nil)
	must(err)
	for n := range int64(readings) {
		must(pub.Send(ctx, &Reading{Number: n, Celsius: 20 + float64(n%10)/10}))
		time.Sleep(time.Millisecond)
	}
	must(pub.Close())
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
