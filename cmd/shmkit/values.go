package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/shmkit/shmkit/internal/kind"
)

// sizeUnits are the powers of 1024 that a size may end in.
const sizeUnits = "KMGTPE"

// parseSize parses a number of bytes: 4096, 0x1000, 64K, 2M, 1GiB. Units are
// powers of 1024; KB and the like are refused, for to some they mean 1000.
func parseSize(text string) (int64, error) {
	bad := func() (int64, error) {
		return 0, fmt.Errorf("%q is no size: write bytes, or a number with K, M, G, T, P or E (powers of 1024)", text)
	}
	if rest, ok := strings.CutPrefix(text, "-"); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
		return 0, fmt.Errorf("size %s is negative", text)
	}
	if hex, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		return sizeNumber(text, hex, 16, 0, bad)
	}
	number := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	unit := text[len(number):]
	if unit == "" {
		return sizeNumber(text, number, 10, 0, bad)
	}
	power := strings.IndexByte(sizeUnits, strings.ToUpper(unit)[0])
	if power < 0 || len(unit) > 1 && unit[1:] != "iB" {
		return bad()
	}
	return sizeNumber(text, number, 10, 10*(power+1), bad)
}

// sizeNumber parses the digits of a size that is to be shifted.
func sizeNumber(text, digits string, base, shift int, bad func() (int64, error)) (int64, error) {
	if digits == "" || strings.Trim(digits, "0123456789abcdef") != "" { // strconv takes signs and underscores
		return bad()
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if errors.Is(err, strconv.ErrSyntax) {
		return bad()
	}
	if err != nil || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("size %s is above %d bytes", text, int64(math.MaxInt64))
	}
	return int64(n) << shift, nil
}

// formatSize is a size for a sentence: "64 KiB".
func formatSize(n uint64) string { return kind.Bytes(n).Human() }

// parseMode parses nine permission bits in octal: 600, 0600, 0o600.
func parseMode(text string) (fs.FileMode, error) {
	digits := strings.TrimPrefix(text, "0o")
	n, err := strconv.ParseUint(digits, 8, 32)
	if err != nil || n > 0o777 || strings.ContainsAny(digits, "+_") {
		return 0, fmt.Errorf("%q is no mode: write octal permission bits from 0 to 0777, such as 0640", text)
	}
	return fs.FileMode(n), nil
}

// textFlag is a flag that takes any text, with a default.
type textFlag struct{ text, placeholder string }

// Set implements pflag.Value, as the methods below.
func (f *textFlag) Set(text string) error { f.text = text; return nil }

func (f *textFlag) String() string { return f.text }

// Type implements pflag.Value: what help shows for the value.
func (f *textFlag) Type() string { return f.placeholder }

// sizeFlag is a flag that takes a size.
type sizeFlag struct {
	n     int64
	given bool
}

// Set implements pflag.Value, as the methods below.
func (f *sizeFlag) Set(text string) (err error) {
	f.given = true
	f.n, err = parseSize(text)
	return err
}

func (f *sizeFlag) String() string {
	if !f.given {
		return ""
	}
	return strconv.FormatInt(f.n, 10)
}

// Type implements pflag.Value: what help shows for the value.
func (f *sizeFlag) Type() string { return "BYTES" }

// durationFlag is a flag that takes a time to wait: 2s, 500ms, or seconds
// without a unit.
type durationFlag struct {
	d     time.Duration
	given bool
}

// Set implements pflag.Value, as the methods below.
func (f *durationFlag) Set(text string) error {
	d, err := time.ParseDuration(text)
	if seconds, nerr := strconv.ParseFloat(text, 64); nerr == nil {
		d, err = time.Duration(seconds*float64(time.Second)), nil
		if !(math.Abs(seconds) < math.MaxInt64/1e9) {
			err = strconv.ErrRange
		}
	}
	switch {
	case err != nil:
		return errors.New("write a time such as 2s or 500ms")
	case d < 0:
		return errors.New("a time to wait is not negative")
	}
	f.d, f.given = d, true
	return nil
}

func (f *durationFlag) String() string {
	if !f.given {
		return ""
	}
	return f.d.String()
}

// Type implements pflag.Value: what help shows for the value.
func (f *durationFlag) Type() string { return "TIME" }
