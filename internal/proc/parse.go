package proc

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// unexpected is the error of a text that cannot be understood. Only the front of it is told.
func unexpected(what string, text []byte) error {
	const most = 80
	if len(text) > most {
		text = text[:most]
	}
	return fmt.Errorf("unexpected %s: %q", what, text)
}

// number parses a decimal number of at most 64 bits.
func number(b []byte) (n uint64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' || n > (math.MaxUint64-uint64(c-'0'))/10 {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, len(b) > 0
}

// signed is number with a sign.
func signed(b []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(b), 10, 64)
	return n, err == nil
}

// hexadecimal parses a hexadecimal number of at most 64 bits.
func hexadecimal(b []byte) (uint64, bool) {
	n, err := strconv.ParseUint(string(b), 16, 64)
	return n, err == nil
}

// kilobytes parses "12 kB" into bytes; huge numbers become the largest.
func kilobytes(b []byte) (uint64, bool) {
	digits, unit, _ := bytes.Cut(bytes.TrimSpace(b), []byte(" "))
	n, ok := number(digits)
	if !ok || string(unit) != "kB" {
		return 0, false
	}
	return min(n, math.MaxUint64>>10) << 10, true
}

// device parses "fd:1a".
func device(b []byte) (major, minor uint32, ok bool) {
	x, y, _ := bytes.Cut(b, []byte(":"))
	a, good := hexadecimal(x)
	c, fine := hexadecimal(y)
	if !good || !fine || a > math.MaxUint32 || c > math.MaxUint32 {
		return 0, 0, false
	}
	return uint32(a), uint32(c), true
}
