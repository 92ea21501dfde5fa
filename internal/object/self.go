package object

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// process is what a record says of a process. It is for people: nothing is decided by
// it.
type process struct {
	pid     int
	start   uint64 // clock ticks since boot
	pidns   uint64
	command [16]byte
}

// self describes this process.
var self = sync.OnceValue(func() process {
	p := process{pid: os.Getpid()}
	if text, err := os.ReadFile("/proc/self/stat"); err == nil {
		// The command stands in parentheses and may contain anything.
		open, end := strings.IndexByte(string(text), '('), strings.LastIndexByte(string(text), ')')
		if open >= 0 && end > open {
			copy(p.command[:], text[open+1:end])
			if fields := strings.Fields(string(text[end+1:])); len(fields) > 19 {
				p.start, _ = strconv.ParseUint(fields[19], 10, 64)
			}
		}
	}
	if info, err := os.Stat("/proc/self/ns/pid"); err == nil {
		p.pidns = info.Sys().(*syscall.Stat_t).Ino
	}
	return p
})
