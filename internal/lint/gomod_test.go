package lint

import (
	"fmt"
	"strings"
	"testing"
)

// requirements are the modules that go.mod may require directly, and why each is
// worth depending on.
var requirements = map[string]string{
	"golang.org/x/sys":                        "the library: system calls and kernel constants",
	"golang.org/x/sync":                       "command and tests: errgroup",
	"golang.org/x/term":                       "command: is the output a terminal, and how wide",
	"github.com/HdrHistogram/hdrhistogram-go": "command: percentiles of latencies",
	"github.com/gdamore/tcell/v2":             "command: the screen of top",
	"github.com/rivo/uniseg":                  "command: how many cells text takes on it, as tcell counts them",
	"github.com/spf13/cobra":                  "command: commands, flags, help, shell completion",
	"github.com/spf13/pflag":                  "command: the flags that cobra has, of which usage lines tell",
	"github.com/anishathalye/porcupine":       "tests: are recorded histories of locks linearizable",
	"github.com/creack/pty":                   "tests: a terminal for the command",
	"github.com/edsrzf/mmap-go":               "benchmarks: the plain mapping that filemap is measured beside",
	"github.com/google/go-cmp":                "tests: differences that can be read",
	"github.com/prometheus/procfs":            "tests: a second, independent reader of /proc",
	"github.com/rogpeppe/go-internal":         "tests: testscript, for the command",
	"go.uber.org/goleak":                      "tests: goroutines left behind",
	"pgregory.net/rapid":                      "tests: properties and shrinking",
}

// requirementsHaveReasons pins the direct requirements of go.mod, and that
// "go install …/cmd/shmkit@latest" works: it refuses a module with a replace or
// exclude directive.
func requirementsHaveReasons(tr *tree) []string {
	var bad []string
	block := "" // directive whose parentheses are open
	for n, line := range strings.Split(tr.gomod, "\n") {
		code, comment, _ := strings.Cut(line, "//")
		words := strings.Fields(code)
		if len(words) == 0 {
			continue
		}
		switch {
		case block != "" && words[0] == ")":
			block = ""
			continue
		case block != "":
			words = append([]string{block}, words...)
		case len(words) == 2 && words[1] == "(":
			block = words[0]
			continue
		}
		report := func(format string, args ...any) {
			bad = append(bad, fmt.Sprintf("go.mod:%d: %s", n+1, fmt.Sprintf(format, args...)))
		}
		switch words[0] {
		case "replace", "exclude":
			report("a %s directive, with which go install …@latest refuses the command", words[0])
		case "tool":
			report("a tool directive: tools would become requirements of every user; pin them where they run")
		case "require":
			if strings.TrimSpace(comment) != "indirect" && requirements[words[1]] == "" {
				report("requires %s: say why in requirements in internal/lint, or don't", words[1])
			}
		}
	}
	return bad
}

func TestRequirementsHaveReasons(t *testing.T) {
	breaks(t, requirementsHaveReasons, sources{"go.mod": `module m

go 1.26

require golang.org/x/sys v0.1.0
require example.com/single v1.0.0 // why not
require (
	github.com/google/go-cmp v0.7.0
	example.com/block v1.0.0
	example.com/other v1.0.0 // indirect
)

tool example.com/tool

replace (
	example.com/other => ../other
)
`},
		"go.mod:6: requires example.com/single",
		"go.mod:9: requires example.com/block",
		"go.mod:13: a tool directive",
		"go.mod:16: a replace directive",
	)
}
