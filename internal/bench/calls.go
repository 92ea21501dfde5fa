package bench

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Operations of the two passes in which system calls are counted. What is counted of the one and not of the other
// is what the rest takes.
const (
	fewTraced  = 20
	manyTraced = 100
)

// calls counts the system calls of an operation, of both sides' threads. Those of the other threads of a Go
// program, which look after the scheduler and the like, are as many as the time takes, and not counted.
func (p *pair) calls(ctx context.Context) (float64, error) {
	tracer, err := startProcess(ctx, setup{Trace: []int{p.sides[0].thread, p.sides[1].thread}}, nil, nil, nil)
	if err != nil {
		return 0, err
	}
	defer func() {
		_ = tracer.orders.Close() // its end
		_ = tracer.cmd.Wait()
		_ = tracer.replies.Close()
	}()
	lines := bufio.NewReader(tracer.replies)
	if _, err := lines.ReadString('\n'); err != nil {
		return 0, fmt.Errorf("trace: %w", err)
	}
	count := func() (int, error) {
		if _, err := fmt.Fprintln(tracer.orders); err != nil {
			return 0, err
		}
		text, err := lines.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSpace(text))
	}
	var counts [3]int
	for i, n := range []int{0, fewTraced, manyTraced} {
		if n > 0 {
			if _, err := p.run(order{N: n}); err != nil {
				return 0, err
			}
		}
		if counts[i], err = count(); err != nil {
			return 0, err
		}
	}
	few, many := counts[1]-counts[0], counts[2]-counts[1]
	// Each pass has a tenth more, to warm up.
	return max(0, float64(many-few)/(1.1*(manyTraced-fewTraced))), nil
}
