package top

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseInterval parses an interval: "500ms", or a number of seconds, "0.5".
func ParseInterval(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	d, err := time.ParseDuration(text)
	if seconds, e := strconv.ParseFloat(text, 64); err != nil && e == nil && seconds > -1e6 && seconds < 1e6 {
		d, err = time.Duration(seconds*float64(time.Second)), nil
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is no interval such as 2s or 500ms", text)
	case d < ShortestInterval || d > LongestInterval:
		return 0, fmt.Errorf("an interval is at least %v and at most %v", ShortestInterval, LongestInterval)
	}
	return d, nil
}
