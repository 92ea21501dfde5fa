package address

import (
	"fmt"
	"strconv"
	"strings"
)

// Region is what a process maps at an address of its own: how memory is named that has no
// name and of which nobody has a descriptor.
type Region struct {
	PID   int    // 0: the process that asks
	Start uint64 // any address within it; what shmkit prints is the first
}

func (r Region) String() string { return process(r.PID) + "/" + strconv.FormatUint(r.Start, 16) }
func (Region) target()          {}

// parseRegion takes the address as /proc/PID/maps has it, and with 0x as debuggers print it.
func parseRegion(rest string) (Target, error) {
	pid, text, err := parseProcess(rest, "PID/START, such as 812/7f12a4000000, or self/START")
	if err != nil {
		return nil, err
	}
	number := strings.TrimPrefix(text, "0x")
	if !digits(number, "0123456789abcdefABCDEF") {
		return nil, fmt.Errorf("%q is no hexadecimal address", text)
	}
	start, err := strconv.ParseUint(number, 16, 64)
	if err != nil {
		return nil, fmt.Errorf("address %s has more than 64 bits", text)
	}
	return Region{pid, start}, nil
}
