// Workerpool: a boss pushes jobs and workers pop them. Again and again the boss kills a worker
// (SIGKILL), in the middle of whatever it does. No job is lost: what it had is delivered again.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/queue"
)

const jobs, workers = 2000, 3

// Job is an item of the queue. Tally is how often each was worked on, for all to see.
type (
	Job   struct{ Number int64 }
	Tally struct{ Done [jobs]atomic.Int32 }
)

func main() {
	q, err := queue.Open[Job]("workerpool", &queue.Options{Capacity: 16})
	must(err)
	t, err := pshared.Open[Tally]("workerpool", nil)
	must(err)
	for len(os.Args) > 1 { // a worker
		job, err := q.Pop(context.Background())
		must(err)
		t.Data().Done[job.Data().Number].Add(1)
		must(job.Done()) // who is killed before this has worked in vain
	}
	boss(q, t.Data())
	must(q.Close()) // nobody has them open any more, and they are gone
	must(t.Close())
}

func boss(q *queue.Queue[Job], t *Tally) {
	var pool [workers]*exec.Cmd
	killed, again := 0, 0
	for n := range int64(jobs) {
		if i := n / 50 % workers; n%50 == 0 { // a worker goes, and another takes its place
			if pool[i] != nil {
				_, _ = pool[i].Process.Kill(), pool[i].Wait()
				killed++
			}
			pool[i] = exec.Command("/proc/self/exe", "work")
			pool[i].SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			must(pool[i].Start())
		}
		must(q.Push(context.Background(), &Job{n}))
	}
	for s, err := q.Stat(); s.Ready+s.Claimed > 0; s, err = q.Stat() {
		must(err)
		time.Sleep(time.Millisecond)
	}
	for n := range t.Done {
		if t.Done[n].Load() == 0 {
			log.Fatalf("job %d is lost", n)
		}
		again += int(t.Done[n].Load()) - 1
	}
	for _, worker := range pool {
		_, _ = worker.Process.Kill(), worker.Wait()
	}
	fmt.Printf("%d jobs, %d workers killed; none lost, %d worked on again\n", jobs, killed, again)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
