package main

import (
	"bytes"
	"os/exec"
	"testing"

	"pgregory.net/rapid"

	"github.com/shmkit/shmkit/internal/testenv"
)

// dumpOf dumps data that comes in pieces of the given lengths.
func dumpOf(data []byte, pieces ...int) string {
	var out bytes.Buffer
	d := &dumper{w: &out}
	for _, n := range pieces {
		n = min(n, len(data))
		_ = d.add(data[:n])
		data = data[n:]
	}
	_ = d.add(data)
	d.end()
	return out.String()
}

func TestDumpsAreHexdumps(t *testing.T) {
	hexdump := testenv.RequireTool(t, "hexdump")
	rapid.Check(t, func(t *rapid.T) {
		// Few different lines, so that some repeat.
		line := rapid.SampledFrom([]string{
			"0123456789abcdef", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "\xff\x7f\x1f ~\n\t\x80|||||||||",
		})
		var data []byte
		for _, l := range rapid.SliceOfN(line, 0, 12).Draw(t, "lines") {
			data = append(data, l...)
		}
		data = append(data, rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "rest")...)
		pieces := rapid.SliceOfN(rapid.IntRange(0, 40), 0, 10).Draw(t, "pieces")

		cmd := exec.Command(hexdump, "-C")
		cmd.Stdin = bytes.NewReader(data)
		want, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if len(data) == 0 {
			want = []byte("00000000\n") // hexdump prints nothing
		}
		if got := dumpOf(data, pieces...); got != string(want) {
			t.Fatalf("got\n%swant\n%s", got, want)
		}
	})
}

func TestDumpsOfLateOffsets(t *testing.T) {
	var out bytes.Buffer
	d := &dumper{w: &out, offset: 1<<32 + 1}
	_ = d.add([]byte("x"))
	d.end()
	want := "100000001  78                                                |x|\n100000002\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
