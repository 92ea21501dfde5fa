package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/testenv"
)

// What has no --json prints what has a form of its own, or is another program's.
func TestEveryCommandHasJSON(t *testing.T) {
	without := []string{"shmkit completion", "shmkit run"}
	var missing []string // but of help, which cobra adds when it runs
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		if cmd.Runnable() && !cmd.Hidden && !cmd.HasSubCommands() && cmd.Flags().Lookup("json") == nil {
			missing = append(missing, cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			look(sub)
		}
	}
	look(newRootCommand(&app{kinds: allKinds(), out: &bytes.Buffer{}, err: &bytes.Buffer{}}))
	slices.Sort(missing)
	if !slices.Equal(missing, without) {
		t.Errorf("without --json: %q, want %q", missing, without)
	}
}

// The object is whole where the bytes are more than are read at a time, and no multiple of three.
func TestDumpAsJSONHasAllBytes(t *testing.T) {
	addr, _, _ := newAddresses(t)
	data := pattern(3*chunk + 17)
	mustRun(t, "create", addr, "--size", "1M")
	if r := runApp(t, &app{in: bytes.NewReader(data)}, "put", addr, "--offset", "5"); r.code != exitDone {
		t.Fatal(r.err)
	}
	var got struct {
		Offset, Length int64
		Base64         string
	}
	if err := json.Unmarshal([]byte(mustRun(t, "dump", addr, "--offset", "5", "--length", fmt.Sprint(len(data)), "--json")), &got); err != nil {
		t.Fatal(err)
	}
	if b, err := base64.StdEncoding.DecodeString(got.Base64); err != nil || !bytes.Equal(b, data) || got.Offset != 5 || got.Length != int64(len(data)) {
		t.Errorf("offset %d, length %d, %d bytes, %v", got.Offset, got.Length, len(b), err)
	}
	mustRun(t, "rm", addr)
}

// A line is there before the next one is written.
func TestReadAsJSONStreams(t *testing.T) {
	key := testenv.KeyLeakChecked(t)
	in, lines, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	w := start(t, in, "write", at("sysv", key))
	in.Close()
	r := start(t, nil, "read", at("sysv", key), "--json")
	want := ""
	for _, line := range []string{"one", strings.Repeat("x", 200_000), "three"} { // the second in several pieces
		if _, err := fmt.Fprintln(lines, line); err != nil {
			t.Fatal(err)
		}
		want += fmt.Sprintf("{\"line\":%q,\"base64\":null}\n", line)
		testenv.Eventually(t, "the line is printed", func() bool { return len(r.out.String()) >= len(want) })
		if got := r.out.String(); got != want {
			t.Fatalf("%d bytes, want %d", len(got), len(want))
		}
	}
	if err := lines.Close(); err != nil {
		t.Fatal(err)
	}
	w.succeeds()
	r.succeeds()
}

// Lines come in whatever pieces.
func TestJSONLinesDoNotDependOnThePieces(t *testing.T) {
	const text = "one\n\ntwo \xff\nthree\n"
	const want = `{"line":"one","base64":null}
{"line":"","base64":null}
{"line":null,"base64":"dHdvIP8="}
{"line":"three","base64":null}
`
	for size := 1; size <= len(text); size++ {
		var out bytes.Buffer
		j := &jsonLines{w: &out}
		for piece := range slices.Chunk([]byte(text), size) {
			if n, err := j.Write(piece); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
		}
		if out.String() != want {
			t.Errorf("in pieces of %d bytes:\n%s", size, out.String())
		}
	}
}
