package main

import (
	"io/fs"
	"math"
	"strings"
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "4096": 4096, "007": 7, "64K": 64 << 10, "64k": 64 << 10, "64KiB": 64 << 10, "2M": 2 << 20, "2MiB": 2 << 20,
		"1G": 1 << 30, "3T": 3 << 40, "5P": 5 << 50, "7E": 7 << 60, "0K": 0, "0x10": 16, "0XfF": 255,
		"9223372036854775807": math.MaxInt64, "0x7fffffffffffffff": math.MaxInt64, "9007199254740991K": math.MaxInt64 &^ 1023,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q is %d (%v), want %d", text, got, err, want)
		}
	}
	for text, why := range map[string]string{
		"": "no size", "K": "no size", " 1": "no size", "1 K": "no size", "+1": "no size", "1_000": "no size", "1.5K": "no size",
		"1KB": "no size", "1kib": "no size", "1Ki": "no size", "1X": "no size", "1KK": "no size", "1B": "no size", "x": "no size",
		"0x": "no size", "0xg": "no size", "0x10K": "no size", "0x-1": "no size", "0x_1": "no size", "ff": "no size", "--1": "no size", "-": "no size",
		"１": "no size", "1é": "no size",
		"-1": "negative", "-5K": "negative",
		"9223372036854775808": "above", "18446744073709551616": "above", "99999999999999999999999": "above", "8E": "above",
		"9007199254740992K": "above", "0x8000000000000000": "above", "16777216T": "above",
	} {
		if got, err := parseSize(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q is %d, %v; want an error that says %q", text, got, err, why)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, text := range []string{"64K", "-1", "0xff", "8E", "1KiB", "K", "\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseSize(text)
		if (err == nil) != (n >= 0 && err == nil) || n < 0 {
			t.Errorf("%q is %d, %v", text, n, err)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n") {
			t.Errorf("%q: the error is not one line: %q", text, err)
		}
	})
}

func TestParseMode(t *testing.T) {
	for text, want := range map[string]fs.FileMode{"0": 0, "600": 0o600, "0600": 0o600, "0o640": 0o640, "777": 0o777, "00000777": 0o777} {
		if got, err := parseMode(text); err != nil || got != want {
			t.Errorf("%q is %o, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "888", "1000", "1777", "-600", "+600", "6_0", "0x1ff", "rw-------", "0o", "4294967896"} {
		if got, err := parseMode(text); err == nil {
			t.Errorf("%q is %o", text, got)
		}
	}
}

func TestDurationsMayBeSeconds(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"2s": 2 * time.Second, "500ms": 500 * time.Millisecond, "5": 5 * time.Second, "0.25": 250 * time.Millisecond, "0": 0, "1h": time.Hour,
	} {
		var f durationFlag
		if err := f.Set(text); err != nil || f.d != want || !f.given {
			t.Errorf("%q is %v, %v", text, f.d, err)
		}
	}
	for _, text := range []string{"", "x", "-1", "-1s", "1e300", "NaN", "Inf", "1d", "9999999999999h"} {
		var f durationFlag
		if err := f.Set(text); err == nil {
			t.Errorf("%q is %v", text, f.d)
		}
	}
}

func TestUsersAndGroupsByNumber(t *testing.T) {
	for _, parse := range []func(string) (uint32, error){parseUser, parseGroup} {
		if n, err := parse("root"); err != nil || n != 0 {
			t.Errorf("root is %d, %v", n, err)
		}
		if n, err := parse("4000000000"); err != nil || n != 4000000000 {
			t.Errorf("4000000000 is %d, %v", n, err)
		}
		for _, text := range []string{"", "-1", "4294967295", "4294967296", "no such", "+1"} {
			if n, err := parse(text); err == nil {
				t.Errorf("%q is %d", text, n)
			}
		}
	}
}
