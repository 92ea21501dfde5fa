// Standing measures what a topic costs besides its messages: what joining one takes, and the first message of
// each chunk; what a thousand subscribers take that wait for a message that does not come; and how much memory it has, beside
// what its settings say.
//
//	go run ./benchmarks/standing [-idle 10s] [-rounds N] [-subscribers N]
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"time"
)

func main() {
	log.SetFlags(0)
	if waits() {
		return
	}
	idle := flag.Duration("idle", 10*time.Second, "how long who waits is watched, each time")
	rounds := flag.Int("rounds", 5, "rounds")
	subscribers := flag.Int("subscribers", 1000, "how many wait")
	flag.Parse()
	if *idle < time.Millisecond || *rounds < 1 || *subscribers < 1 || flag.NArg() > 0 {
		log.Fatal("-idle must be at least 1ms, -rounds and -subscribers at least 1, and there are no arguments")
	}
	if err := measure(*idle, *rounds, *subscribers); err != nil {
		log.Fatal(err)
	}
}

func measure(idle time.Duration, rounds, subscribers int) error {
	dir, err := os.MkdirTemp("/dev/shm", "shmkit-standing-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := joining(dir, rounds); err != nil {
		return fmt.Errorf("joining: %w", err)
	}
	if err := footprints(dir); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	if err := idling(dir, idle, rounds, subscribers); err != nil {
		return fmt.Errorf("idle: %w", err)
	}
	return nil
}

func median[T int | int64 | float64 | time.Duration](all []T) T {
	s := slices.Sorted(slices.Values(all))
	return s[len(s)/2]
}
