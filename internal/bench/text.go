package bench

import (
	"fmt"
	"math"
	"strings"
)

// Legend says what is in tables.
const Legend = `P50 to MAX are percentiles of single operations, EACH is the median of an operation; n, µ, m are nano-, micro- and milliseconds.
× is the time in times of the first yardstick, in brackets, measured in turn. CPU is what both processes together take for an operation, SENDER what the sending is of that, CALLS how
many system calls they make (traced, which lets them sleep more often), MEM how many bytes are reserved.`

// Title says what rows that are compared with each other have in common.
func Title(t Trial) string {
	s := []string{t.Suite}
	if t.Size > 0 && t.Group == "" {
		s = append(s, size(t.Size))
		if t.Touched {
			s = append(s, "all of them written and read")
		} else {
			s = append(s, "of which 8 are written and read")
		}
	}
	if t.Size == smallest {
		s = s[:2]
	}
	if t.Receivers > 0 {
		s = append(s, fmt.Sprintf("to %d at once", t.Receivers))
	}
	if t.Group != "" {
		s = append(s, t.Group)
	}
	return s[0] + ": " + strings.Join(s[1:], ", ")
}

func size(n int) string {
	for _, unit := range []struct {
		n    int
		name string
	}{{1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= unit.n && n%unit.n == 0 {
			return fmt.Sprintf("%d %s", n/unit.n, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// Name names a row among those that it is compared with.
func (t Trial) Name() string {
	name := t.Way
	if t.Wait == Spin && !t.Yardstick {
		name += ", spin"
	}
	if t.Yardstick {
		name = "[" + name + "]"
	}
	return name
}

// Seconds is a time of nanoseconds in at most four digits: 87n, 1.36µ, 12.4m.
func Seconds(ns float64) string {
	for _, unit := range []struct {
		ns   float64
		name string
	}{{1e9, "s"}, {1e6, "m"}, {1e3, "µ"}} {
		if ns >= 0.9995*unit.ns {
			return digitsOf(ns/unit.ns) + unit.name
		}
	}
	return digitsOf(ns) + "n"
}

// Count is a number in at most four digits: 870, 1.36k, 12.4M.
func Count(n float64) string {
	for _, unit := range []struct {
		n    float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if n >= 0.9995*unit.n {
			return digitsOf(n/unit.n) + unit.name
		}
	}
	return digitsOf(n)
}

// Factor is a ratio in about three digits, "" if there is none.
func Factor(x float64) string {
	if x == 0 {
		return ""
	}
	return digitsOf(x)
}

func digitsOf(x float64) string {
	switch {
	case x >= 99.95 || x == math.Trunc(x):
		return fmt.Sprintf("%.0f", x)
	case x >= 9.995:
		return fmt.Sprintf("%.1f", x)
	case x < 0.0995:
		return fmt.Sprintf("%.3f", x)
	}
	return fmt.Sprintf("%.2f", x)
}
