package doctor

import (
	"fmt"
	"strconv"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// span is a length of time in words.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return plural(max(int(d/time.Second), 0), "second")
	case d < 2*time.Hour:
		return plural(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return plural(int(d/time.Hour), "hour")
	}
	return plural(int(d/(24*time.Hour)), "day")
}

// plural is "1 process", "2 processes", "2 days".
func plural(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case noun[len(noun)-1] == 's':
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// size is a number of bytes in words.
func size(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return plural(int(n), "byte")
	}
	v, u := float64(n)/1024, 0
	for v >= 1023.95 && u < len(units)-1 {
		v /= 1024
		u++
	}
	if v == float64(int(v)) {
		return fmt.Sprintf("%d %ciB", int(v), units[u])
	}
	return fmt.Sprintf("%.1f %ciB", v, units[u])
}

// percent is how much n is of most.
func percent(n, most uint64) string { return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(most)) }
