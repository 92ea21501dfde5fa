package kind

import (
	"bytes"
	"fmt"
	"os"
)

// CommandOf is the command line of the process that has a PID now, which may be
// another one than had it once.
func CommandOf(pid int) Value {
	if pid == 0 {
		return Unknown("its process is not of this PID namespace")
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	line = bytes.TrimRight(line, "\x00")
	if err != nil || len(line) == 0 {
		return Unknown(fmt.Sprintf("process %d has ended", pid))
	}
	return Text(bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
}
