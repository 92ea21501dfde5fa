package top

import (
	"fmt"
	"math"
)

// none stands for what is not known.
const none = "-"

// number is at most five characters: in units that are base times each other, with one
// digit behind the point below 100, if it is not whole. It is rounded down: nothing is shown
// larger than it is.
func number(n, base float64) string {
	const units = " KMGTPEZ"
	unit := 0
	for n >= base && unit < len(units)-1 {
		n /= base
		unit++
	}
	text := fmt.Sprintf("%.0f", math.Floor(n))
	if tenths := math.Floor(n * 10); n < 100 && math.Mod(tenths, 10) != 0 {
		text = fmt.Sprintf("%.1f", tenths/10)
	}
	if unit > 0 {
		text += units[unit : unit+1]
	}
	return text
}

func bytes(n float64) string { return number(n, 1024) }

// bytesText is an amount of bytes.
func (a Amount) bytesText() string {
	if !a.Known {
		return none
	}
	return bytes(float64(a.N))
}

// countText is an amount of things.
func (a Amount) countText() string {
	if !a.Known {
		return none
	}
	return number(float64(a.N), 1000)
}

// countText is a rate of things.
func (r Rate) countText() string {
	if !r.Known {
		return none
	}
	return number(r.PerSecond, 1000)
}

// bytesText is a rate of bytes, which has a sign.
func (r Rate) bytesText() string {
	switch {
	case !r.Known:
		return none
	case r.PerSecond >= 1:
		return "+" + bytes(r.PerSecond)
	case r.PerSecond <= -1:
		return "-" + bytes(-r.PerSecond)
	}
	return "0"
}
