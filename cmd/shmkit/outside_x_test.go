package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// startX starts an X server without a screen, and returns its process and display.
func startX(t *testing.T) (pid int, display string) {
	t.Helper()
	server := testenv.RequireTool(t, "Xvfb")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var errs bytes.Buffer
	cmd := exec.Command(server, "-displayfd", "3", "-screen", "0", "64x64x24", "-nolisten", "tcp", "-ac", "-noreset")
	cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = []*os.File{w}, &errs, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // it removes its socket
	err = testenv.StartCommand(cmd)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Error("the X server did not end")
			_ = cmd.Process.Kill()
			<-done
		}
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("the X server named no display: %v\n%s", err, errs.String())
	}
	return cmd.Process.Pid, strings.TrimSpace(line)
}

// shareWithX has the X server attach a segment (MIT-SHM), until the connection is closed.
func shareWithX(t *testing.T, display string, id int) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", "/tmp/.X11-unix/X"+display)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	send := func(words ...any) {
		for _, w := range words {
			if err := binary.Write(c, binary.LittleEndian, w); err != nil {
				t.Fatal(err)
			}
		}
	}
	receive := func(n int) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	send([]byte{'l', 0}, []uint16{11, 0, 0, 0, 0}) // nobody in particular
	head := receive(8)
	rest := receive(4 * int(binary.LittleEndian.Uint16(head[6:])))
	if head[0] != 1 {
		t.Fatalf("the X server refuses: %q", rest)
	}
	name := "MIT-SHM\x00"
	send([]byte{98, 0}, []uint16{4, 7, 0}, []byte(name))
	reply := receive(32)
	if reply[0] != 1 || reply[8] != 1 {
		t.Skip("the X server has no MIT-SHM")
	}
	base := binary.LittleEndian.Uint32(rest[4:])
	send([]byte{reply[9], 1}, uint16(4), base+1, uint32(id), uint32(0)) // attach
	send([]byte{43, 0}, uint16(1))                                      // and what has an answer
	if reply := receive(32); reply[0] != 1 {
		t.Fatalf("the X server does not attach it: error %d", reply[1])
	}
	return c
}

func TestWhatAnXServerSharesIsSeenAsIpcsShowsIt(t *testing.T) {
	beside(t)
	server, display := startX(t)
	seg, err := sysv.Create(sysv.Private, 256<<10, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := seg.Remove(); err != nil {
			t.Error(err)
		}
	})
	client := testenv.Start(t, "attached", strconv.Itoa(seg.ID()))
	client.Expect("attached")
	c := shareWithX(t, display, seg.ID())
	things := sameAsProc(t, 1, func() []int { return []int{server} })
	address := fmt.Sprintf("sysv:id=%d", seg.ID())
	var pids []int
	for _, u := range whoUses(t, address) {
		pid, _ := strconv.Atoi(u.s("pid"))
		pids = append(pids, pid)
	}
	want := []int{server, client.Pid()}
	slices.Sort(want)
	if !slices.Equal(pids, want) {
		t.Errorf("%s is used by %v, want %v; %v", address, pids, want, things)
	}
	sameAsIpcs(t, kindFacts(t, "stat", address)[0], os.Getpid())
	// And when the X server has let go of it.
	c.Close()
	testenv.Eventually(t, "only the client uses it", func() bool {
		all := whoUses(t, address)
		return len(all) == 1 && all[0].s("pid") == strconv.Itoa(client.Pid())
	})
	client.CloseStdin()
	if err := client.Wait(); err != nil {
		t.Error(err)
	}
}
