package bench

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/shmkit/shmkit/internal/sys"
)

// A Machine is where something was measured.
type Machine struct {
	CPU    string `json:"cpu"`
	CPUs   int    `json:"cpus"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Place  string `json:"place"` // where the processes ran
	Shmkit string `json:"shmkit"`
}

func machine(at place) Machine {
	m := Machine{CPU: processor(), Kernel: sys.Release(), Go: runtime.Version() + " " + runtime.GOARCH, Place: at.note, Shmkit: "unknown"}
	m.CPUs, _ = sys.UsableCPUs()
	if info, ok := debug.ReadBuildInfo(); ok {
		m.Shmkit = info.Main.Version
	}
	return m
}

// processor is what the kernel calls it.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		name, value, _ := strings.Cut(s.Text(), ":")
		if strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
