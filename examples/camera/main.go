// Camera: a camera publishes frames of 4 MiB, written straight into shared memory, and two viewers in
// processes look at them there. One sees every frame, the other is slow and learns how many it has missed.
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

const frames = 100

// Frame is a message. There is memory for four to be read, and for those that are held.
type Frame struct {
	Number int64
	Pixels [4<<20 - 8]byte
}

var options = topic.Options{Publishers: 1, Subscribers: 2, Depth: 4, Held: 1, Loans: 1}

func main() {
	if len(os.Args) > 1 {
		view(os.Args[1])
		return
	}
	pub, err := topic.NewPublisher[Frame]("camera/front", &options)
	must(err)
	var viewers [2]*exec.Cmd
	for i, name := range []string{"every", "slow"} {
		viewers[i] = exec.Command("/proc/self/exe", name)
		viewers[i].Stdout, viewers[i].Stderr = os.Stdout, os.Stderr
		viewers[i].SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		must(viewers[i].Start())
	}
	for s, err := pub.Stat(); s.Subscribers < len(viewers); s, err = pub.Stat() {
		must(err)
		time.Sleep(time.Millisecond)
	}
	for n := range int64(frames) {
		loan, err := pub.Loan(context.Background())
		must(err)
		frame := loan.Data() // in shared memory
		frame.Number, frame.Pixels[n] = n, byte(n)
		must(loan.Publish())
	}
	for _, v := range viewers {
		must(v.Wait())
	}
	must(pub.Close()) // nobody has it open any more, and it is gone
}

func view(name string) {
	sub, err := topic.NewSubscriber[Frame]("camera/front", &topic.SubscriberOptions{BestEffort: name == "slow", Topic: &options})
	must(err)
	seen := 0
	for last := int64(0); last < frames-1; seen++ {
		msg, err := sub.Receive(context.Background())
		must(err)
		if name == "slow" {
			time.Sleep(20 * time.Millisecond)
		}
		last = msg.Data().Number
		must(msg.Release())
	}
	fmt.Printf("%s: %d frames seen, %d missed\n", name, seen, sub.Missed())
	must(sub.Close())
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
