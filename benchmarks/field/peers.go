package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shmkit/shmkit/internal/bench"
)

//go:embed peers
var sources embed.FS

// A peer is a program of another system's ways.
type peer struct {
	name    string
	title   string // what it is, for readers
	source  string
	headers string   // one that must be there
	pkg     []string // Debian packages that have it, the first of which tells the version
	flags   []string // of the compiler
	ways    []bench.Foreign
}

// locked are the groups of locks, see bench.
var locked = []string{bench.GroupAlone, bench.GroupBoth}

// messages are the ways of messages of a program, both suites.
func messages(name, about string, most int, clean func(string) error, waits ...bench.Wait) (all []bench.Foreign) {
	for _, suite := range []string{"latency", "throughput"} {
		all = append(all, bench.Foreign{Name: name, About: about, Suite: suite, Waits: waits, Most: most, Clean: clean})
	}
	return all
}

func peers() []peer {
	return []peer{
		{
			name: "kernel", title: "the kernel's ways, from C++", source: "kernel.cpp", pkg: []string{"libc6"},
			ways: slices.Concat(
				messages("C pipe", "two pipes, from C++", 0, nil, bench.Spin, bench.Block),
				messages("C unix datagram", "two Unix datagram sockets, from C++", 64<<10, nil, bench.Spin, bench.Block),
				messages("C unix stream", "a Unix stream socket, from C++", 0, nil, bench.Spin, bench.Block),
				messages("C tcp", "TCP over loopback, from C++", 0, nil, bench.Spin, bench.Block)),
		},
		{
			name: "queues", title: "the kernel's message queues, from C++", source: "queues.cpp", pkg: []string{"libc6"},
			ways: slices.Concat(
				messages("C posix queue", "two POSIX message queues, from C++", 8<<10, cleanPosixQueues, bench.Spin, bench.Block),
				messages("C sysv queue", "a System V message queue, from C++", 8<<10, cleanSysvQueue, bench.Spin, bench.Block)),
		},
		{
			name: "boost", title: "Boost.Interprocess, message_queue and named_mutex", source: "boost.cpp", headers: "boost/interprocess/ipc/message_queue.hpp",
			pkg: []string{"libboost-dev"},
			ways: append(messages("Boost message_queue", "two message_queues: receive waits in a condition of the C library, try_receive spins", 0, cleanBoost, bench.Spin, bench.Block),
				bench.Foreign{Name: "Boost named_mutex", About: "lock and unlock of a named_mutex, which is not robust", Suite: "sync", Groups: locked, Clean: cleanBoost}),
		},
		{
			name: "zeromq", title: "ZeroMQ, ZMQ_PAIR over ipc://", source: "zeromq.cpp", headers: "zmq.h", pkg: []string{"libzmq3-dev"}, flags: []string{"-lzmq"},
			ways: messages("ZeroMQ", "a ZMQ_PAIR over ipc://, zmq_send and zmq_recv; spinning is ZMQ_DONTWAIT with sched_yield, for the thread that does the work", 0, nil, bench.Spin, bench.Block),
		},
		{
			name: "iceoryx", title: "Eclipse iceoryx, untyped publisher and subscriber", source: "iceoryx.cpp", headers: "iceoryx/v2.0.3/iceoryx_posh/popo/untyped_publisher.hpp",
			pkg: []string{"libiceoryx-posh-dev", "iceoryx"}, flags: []string{"-isystem", "/usr/include/iceoryx/v2.0.3", "-liceoryx_posh", "-liceoryx_hoofs", "-liceoryx_platform"},
			ways: messages("iceoryx", "two services by loan: take in a loop, or a WaitSet", 0, nil, bench.Spin, bench.Block),
		},
		{
			name: "locks", title: "the C library's robust mutex, condition and semaphore", source: "locks.cpp", pkg: []string{"libc6"},
			ways: []bench.Foreign{
				{Name: "robust mutex", About: "pthread_mutex_lock and unlock, robust and shared between processes", Suite: "sync", Groups: locked},
				{Name: "robust mutex and cond", About: "pthread_cond_signal and wait under a robust mutex, shared between processes", Suite: "sync", Groups: []string{bench.GroupTurns}},
				{Name: "POSIX semaphore", About: "sem_wait and sem_post, shared between processes; nobody's death gives it back", Suite: "sync", Groups: append(slices.Clone(locked), bench.GroupTurns)},
			},
		},
	}
}

// A set is the programs that could be built.
type set struct {
	dir     string
	ways    []bench.Foreign
	missing []string
	built   []peer
	daemon  *daemon
}

func (s *set) close() error {
	var err error
	if s.daemon != nil {
		err = s.daemon.stop()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// build compiles what is wanted and can be.
func build(ctx context.Context, names []string) (_ *set, err error) {
	for _, name := range names {
		if !slices.ContainsFunc(peers(), func(p peer) bool { return p.name == name }) {
			return nil, fmt.Errorf("there is no peer %q: see -list", name)
		}
	}
	s := &set{}
	if s.dir, err = os.MkdirTemp("", "shmkit-field-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	files, err := fs.Sub(sources, "peers")
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(s.dir, files); err != nil {
		return nil, err
	}
	for _, p := range peers() {
		if names != nil && !slices.Contains(names, p.name) {
			continue
		}
		if why := p.absent(); why != "" {
			s.missing = append(s.missing, why)
			continue
		}
		program, err := p.compile(ctx, s.dir)
		if err != nil {
			return nil, err
		}
		if p.name == "iceoryx" {
			if s.daemon, err = startRouDi(ctx); err != nil {
				s.missing = append(s.missing, fmt.Sprintf("%s: its daemon does not start: %v", p.title, err))
				continue
			}
		}
		for _, w := range p.ways {
			w.Program = program
			s.ways = append(s.ways, w)
		}
		s.built = append(s.built, p)
	}
	return s, nil
}

// absent says why a peer can't be built here, "" if it can.
func (p peer) absent() string {
	if _, err := exec.LookPath("g++"); err != nil {
		return p.title + ": there is no g++; apt-get install g++"
	}
	if p.headers != "" {
		if _, err := os.Stat("/usr/include/" + p.headers); err != nil {
			return fmt.Sprintf("%s: there is no %s; apt-get install %s", p.title, p.headers, strings.Join(p.pkg, " "))
		}
	}
	return ""
}

func (p peer) compile(ctx context.Context, dir string) (program string, err error) {
	program = filepath.Join(dir, p.name)
	args := append([]string{"-std=c++17", "-O2", "-Wall", "-Wextra", "-o", program, filepath.Join(dir, p.source)}, p.flags...)
	out, err := exec.CommandContext(ctx, "g++", append(args, "-lrt", "-pthread")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", p.source, err, out)
	}
	return program, nil
}

// version is that of a Debian package.
func version(ctx context.Context, pkg string) string {
	out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${Version}", pkg).Output()
	if err != nil {
		return "unknown"
	}
	return string(out)
}

func listPeers(out io.Writer) error {
	for _, p := range peers() {
		state := "here"
		if why := p.absent(); why != "" {
			state = why
		}
		if _, err := fmt.Fprintf(out, "%-8s %s (%s)\n", p.name, p.title, state); err != nil {
			return err
		}
	}
	return nil
}
