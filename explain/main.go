package explain

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/live"
)

// A role is what a process of an experiment does. It ends when its input does.
type role func(*actor) error

// envRole is the variable that tells a process that it is one of an experiment, and which
// role it plays: "EXPERIMENT/ROLE".
const envRole = "SHMKIT_EXPLAIN_ROLE"

// roleJanitor is the role of the process that cleans up; it is none of an experiment.
const roleJanitor = "janitor"

// commonRoles are those that every experiment has.
var commonRoles = map[string]role{
	"play": func(a *actor) error { return live.Play(a.args[0], a.in, os.Stdout) },
}

// mainCalled: Main was called, so children can be started from this program.
var mainCalled atomic.Bool

// Main makes this process one of an experiment, if Run has started it as one; then it does
// not return. Call it first in main, before anything else: experiments need other
// processes, and start the program that they are part of once more.
func Main() {
	mainCalled.Store(true)
	name, ok := os.LookupEnv(envRole)
	if !ok {
		return
	}
	os.Exit(runRole(name))
}

func runRole(name string) int {
	// What the role starts is not the role again.
	if err := os.Unsetenv(envRole); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	do := findRole(name)
	if do == nil || len(os.Args) < 2 {
		fmt.Fprintf(os.Stderr, "explain: no role %q\n", name)
		return 2
	}
	a := &actor{args: os.Args[2:], in: bufio.NewReader(os.Stdin)}
	if err := do(a); err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func findRole(name string) role {
	if name == roleJanitor {
		return janitor
	}
	experiment, name, _ := strings.Cut(name, "/")
	if do, ok := commonRoles[name]; ok {
		return do
	}
	e, _ := Find(experiment)
	return e.roles[name]
}

// childEnv is what a process in that role has in its environment. Its goroutines are not
// interrupted: a signal at the wrong moment would be a page fault too many.
func childEnv(role string) []string {
	return []string{envRole + "=" + role, "GODEBUG=asyncpreemptoff=1", "GORACE=atexit_sleep_ms=0"}
}

// An actor is a process that plays a role, from its own side.
type actor struct {
	args []string
	in   *bufio.Reader
}

// hear waits for the next line; io.EOF is the end of the experiment.
func (a *actor) hear() (string, error) {
	line, err := a.in.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

// say answers with a line.
func (a *actor) say(format string, args ...any) error {
	_, err := fmt.Printf(format+"\n", args...)
	return err
}
