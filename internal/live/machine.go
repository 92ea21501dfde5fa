package live

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/internal/model"
	"github.com/shmkit/shmkit/internal/sys"
)

// LimitsNow reads the limits of System V segments. The defaults don't fit into signed
// numbers and mean none.
func LimitsNow() (model.Limits, error) {
	var n [3]int64
	for i, name := range []string{"shmmni", "shmmax", "shmall"} {
		text, err := os.ReadFile("/proc/sys/kernel/" + name)
		if err != nil {
			return model.Limits{}, err
		}
		u, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
		if err != nil {
			return model.Limits{}, err
		}
		n[i] = int64(min(u, math.MaxInt64))
	}
	return model.Limits{Segments: int(n[0]), SegmentMax: n[1], Pages: n[2]}, nil
}

// Capabilities that decide about shared memory; capabilities(7).
const (
	capIPCLock  = 14
	capIPCOwner = 15
	capSysAdmin = 21
)

// UserOf reads who a process that plays is. It is in the same namespaces as this one.
func UserOf(pid int) (model.User, error) {
	u := model.User{LockLimit: LockLimit}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	var caps uint64
	for line := range strings.Lines(string(status)) {
		words := strings.Fields(line)
		switch words[0] {
		case "Uid:":
			u.UID, err = strconv.Atoi(words[2])
		case "CapEff:":
			caps, err = strconv.ParseUint(words[1], 16, 64)
		}
		if err != nil {
			return u, err
		}
	}
	has := func(c int) bool { return caps>>c&1 != 0 }
	inside, err := InUserNamespace()
	if err != nil {
		return u, err
	}
	u.LockAny = has(capIPCLock) && !inside
	governs, err := sys.GovernsIPC()
	u.IPCOwner, u.SysAdmin, u.IPCLock = governs && has(capIPCOwner), governs && has(capSysAdmin), governs && has(capIPCLock)
	return u, err
}

// InUserNamespace: root there is not root of the machine, whose memory is to be locked.
func InUserNamespace() (bool, error) {
	m, err := os.ReadFile("/proc/self/uid_map")
	return !slices.Equal(strings.Fields(string(m)), []string{"0", "0", "4294967295"}), err
}

// Probes are scripts that find out what kernels differ in: played in an empty process, the
// answer to the last operation tells.

// ProbeZeroPage finds out whether reading untouched memory leads to the page of zeros.
var ProbeZeroPage = []string{"A mmap len=1p prot=r-- flags=private,anonymous", "A load addr=0"}

// HasZeroPage reads the answer to ProbeZeroPage.
func HasZeroPage(a Answer) bool { return a.Table[0] == model.Zero }
