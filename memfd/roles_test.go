package memfd_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/memfd"
)

// roles are the other processes of the tests.
var roles = map[string]testenv.Role{
	"vandal":    vandal,
	"inheritor": inheritor,
	"holder":    holder,
	"turncoat":  turncoat,
	"stranger":  stranger,
	"becomes":   becomes,
	"became":    became,
}

// vandal takes memory over a socket and does to it what it can.
func vandal(args []string) error {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: args[0], Net: "unix"})
	if err != nil {
		return err
	}
	defer conn.Close()
	f, err := memfd.Receive(conn, nil)
	if err != nil {
		return err
	}
	defer f.Close()
	own, err := f.Reopen()
	if err != nil {
		return err
	}
	defer own.Close()
	length, err := f.Size()
	if err != nil {
		return err
	}
	attempts := []func() error{
		func() error { return f.Truncate(0) },
		func() error { return own.Truncate(1) },
		func() error { return own.Truncate(length - 1) },
		func() error {
			g, err := os.OpenFile(f.Path(), os.O_RDWR|os.O_TRUNC, 0)
			if err == nil {
				err = g.Close()
			}
			return err
		},
		func() error { return os.Truncate(own.Path(), 0) },
		func() error { return own.AddSeals(memfd.SealWrite) },
		func() error { return f.AddSeals(memfd.SealGrow) },
	}
	for i, attempt := range attempts {
		if err := attempt(); !errors.Is(err, syscall.EPERM) {
			return fmt.Errorf("attempt %d: %v", i, err)
		}
	}
	// What is allowed: to give pages back, which then read as zeros.
	if err := own.Discard(0, length); err != nil {
		return err
	}
	return testenv.Say("tried %d ways", len(attempts))
}

// turncoat hands over memory that it did not seal, and shortens it when told to.
func turncoat(args []string) error {
	f, err := memfd.Create("unsealed", 1<<16, memfd.NoSeals)
	if err != nil {
		return err
	}
	defer f.Close()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: args[0], Net: "unix"})
	if err != nil {
		return err
	}
	defer conn.Close()
	for {
		if err := memfd.Send(conn, f); err != nil {
			return err
		}
		if _, err := testenv.Hear(); err != nil {
			return err
		}
		if err := f.Truncate(0); err != nil {
			return err
		}
		if err := testenv.Say("shortened"); err != nil {
			return err
		}
	}
}

// stranger takes memory over a socket, as another user, and says whether it can be
// written: as it came, and opened anew.
func stranger(args []string) error {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: args[0], Net: "unix"})
	if err != nil {
		return err
	}
	defer conn.Close()
	f, err := memfd.Receive(conn, nil)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 3)
	if _, err := f.ReadAt(b, 0); err != nil {
		return err
	}
	_, err = f.WriteAt([]byte("bad"), 0)
	if err == nil {
		return errors.New("it could be written as it came")
	}
	own, err := f.Reopen()
	if err != nil {
		return testenv.Say("read %q, reopen: %v", b, err)
	}
	defer own.Close()
	_, err = own.WriteAt([]byte("bad"), 0)
	return testenv.Say("read %q, wrote after reopening: %v", b, err)
}

// holder keeps memory, and some other descriptors, and says which.
func holder([]string) error {
	sealed, err := memfd.Create("held, sealed", 5000, memfd.SealShrink|memfd.SealGrow)
	if err != nil {
		return err
	}
	loose, err := memfd.CreateWith("held: loose (deleted)", 100, &memfd.Options{Seals: memfd.NoSeals, Mode: 0o640, NoReserve: true})
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	if _, err := sealed.WriteAt([]byte("hello"), 0); err != nil {
		return err
	}
	number := func(f *memfd.File) string {
		return strings.TrimPrefix(f.Address(), fmt.Sprintf("memfd:%d/", os.Getpid()))
	}
	if err := testenv.Say("%s %s %d", number(sealed), number(loose), r.Fd()); err != nil {
		return err
	}
	_, _ = testenv.Hear()
	return errors.Join(sealed.Close(), loose.Close(), r.Close(), w.Close())
}

// inheritor does with what it inherits what it is told.
func inheritor(args []string) error {
	switch args[0] {
	case "take": // NAMES: all of them, each once
		for _, name := range args[1:] {
			f, err := memfd.Inherited(name, nil)
			if err != nil {
				return err
			}
			closed, err := sys.CloseOnExec(number(f))
			if err != nil || !closed {
				return fmt.Errorf("%v is not close-on-exec: %v", f, err)
			}
			b := make([]byte, 3)
			if _, err := f.ReadAt(b, 0); err != nil {
				return err
			}
			_, again := memfd.Inherited(name, nil)
			if err := testenv.Say("%s %q taken twice: %t", f.Name(), b, !errors.Is(again, memfd.ErrNotPassed)); err != nil {
				return err
			}
			if err := f.Close(); err != nil {
				return err
			}
		}
		return testenv.Say("left %q %q", memfd.InheritedNames(), os.Getenv(memfd.Variable))
	case "exec": // become a program that takes
		return syscall.Exec("/proc/self/exe", append(os.Args[:1:1], args[1:]...), append(os.Environ(), "SHMKIT_TEST_ROLE=inheritor"))
	case "spawn", "spawn-with-other": // start one, with nothing passed on
		cmd := exec.Command("/proc/self/exe", args[1:]...)
		cmd.Env = append(os.Environ(), "SHMKIT_TEST_ROLE=inheritor")
		if args[0] == "spawn-with-other" {
			for range 3 {
				cmd.ExtraFiles = append(cmd.ExtraFiles, os.Stdin)
			}
		}
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return cmd.Run()
	case "pass-on": // NAME NEW: hand on what was inherited, beside one of its own
		f, err := memfd.Inherited(args[1], nil)
		if err != nil {
			return err
		}
		defer f.Close()
		own, err := memfd.Create("own", 3, 0)
		if err != nil {
			return err
		}
		defer own.Close()
		cmd := exec.Command("/proc/self/exe", "take", args[2], "own")
		cmd.Env = append(os.Environ(), "SHMKIT_TEST_ROLE=inheritor")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if _, err := memfd.Pass(cmd, "own", own); err != nil {
			return err
		}
		if _, err := memfd.Pass(cmd, args[2], f); err != nil {
			return err
		}
		return cmd.Run()
	case "refuse": // NAME: says why
		_, err := memfd.Inherited(args[1], &memfd.Want{MinSize: 1 << 40})
		return testenv.Say("%v", err)
	}
	return errors.New("told nothing")
}

// number is the descriptor of f.
func number(f *memfd.File) int {
	n, err := strconv.Atoi(f.Address()[strings.LastIndexByte(f.Address(), '/')+1:])
	if err != nil {
		panic(err)
	}
	return n
}
