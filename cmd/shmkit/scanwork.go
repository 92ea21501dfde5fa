package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
)

// scanWork is what a scan does with the bytes.
type scanWork interface {
	// add takes the bytes that come next; those at off in the object. It returns how many
	// of them it needed.
	add(off int64, p []byte) (int, error)
	// hole takes zeros instead; nil if it wants to have them as bytes.
	hole() func(off, n int64) error
	// overlap is how many of the last bytes add wants to get again.
	overlap() int
	// flush prints what was found so far.
	flush() error
	// report prints the result.
	report(j scannedJSON) error
}

// sums are the checksums there are, in the order in which people are told.
var sums = []struct {
	name string
	make func() hash.Hash
}{
	{"sha256", sha256.New},
	{"sha512", sha512.New},
	{"sha1", sha1.New},
	{"md5", md5.New},
	{"crc32", func() hash.Hash { return crc32.NewIEEE() }},
	{"crc32c", func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }},
}

func sumNames() []string {
	names := make([]string, len(sums))
	for i, s := range sums {
		names[i] = s.name
	}
	return names
}

// sumWork computes a checksum.
type sumWork struct {
	a            *app
	name, object string
	asJSON       bool
	hash         hash.Hash
}

func newSumWork(a *app, name, object string, asJSON bool) (scanWork, error) {
	for _, s := range sums {
		if s.name == name {
			return &sumWork{a, name, object, asJSON, s.make()}, nil
		}
	}
	return nil, usagef("--sum: no checksum is called %q; there are %s", name, listed(sumNames(), "and"))
}

func (w *sumWork) add(_ int64, p []byte) (int, error) { return w.hash.Write(p) }

// zeros stand for a hole.
var zeros [64 << 10]byte

func (w *sumWork) hole() func(off, n int64) error {
	return func(_, n int64) error {
		for ; n > 0; n -= min(n, int64(len(zeros))) {
			if _, err := w.hash.Write(zeros[:min(n, int64(len(zeros)))]); err != nil {
				return err
			}
		}
		return nil
	}
}

func (w *sumWork) overlap() int { return 0 }
func (w *sumWork) flush() error { return nil }

func (w *sumWork) report(j scannedJSON) error {
	sum := hex.EncodeToString(w.hash.Sum(nil))
	if w.asJSON {
		j.Sum, j.SumName = &sum, &w.name
		return w.a.printJSON(j)
	}
	_, err := fmt.Fprintf(w.a.out, "%s  %s\n", sum, oneLine(w.object))
	return err
}

// mostInJSON is how many matches one JSON object holds, unless --max says.
const mostInJSON = 100_000

// findWork searches.
type findWork struct {
	a       *app
	pattern []byte
	most    int64 // 0: no bound
	asJSON  bool
	out     *bufio.Writer
	ctx     context.Context
	matches []int64 // for JSON only
	found   int64
}

func (w *findWork) add(off int64, p []byte) (int, error) {
	for at := 0; ; at++ {
		i := bytes.Index(p[at:], w.pattern)
		if i < 0 {
			break
		}
		at += i
		if err := w.hit(off + int64(at)); err != nil {
			return at + len(w.pattern), err
		}
	}
	// What was found in one piece is shown before the next: it may take long.
	if w.out.Buffered() > 0 {
		return len(p), w.out.Flush()
	}
	return len(p), nil
}

func (w *findWork) hit(off int64) error {
	w.found++
	if w.asJSON {
		if len(w.matches) == 0 && w.most == 0 {
			w.most = mostInJSON
		}
		w.matches = append(w.matches, off)
	} else if _, err := w.out.Write(append(strconv.AppendInt(nil, off, 10), '\n')); err != nil {
		return err
	}
	if w.found == w.most {
		return errEnough
	}
	if w.found%1024 == 0 {
		return w.ctx.Err()
	}
	return nil
}

// hole: zeros hold no pattern but one of zeros alone.
func (w *findWork) hole() func(off, n int64) error {
	if len(bytes.Trim(w.pattern, "\x00")) == 0 {
		return nil
	}
	return func(_, _ int64) error { return nil }
}

func (w *findWork) overlap() int { return len(w.pattern) - 1 }
func (w *findWork) flush() error { return w.out.Flush() }

func (w *findWork) report(j scannedJSON) error {
	err := w.out.Flush()
	if err == nil && w.asJSON {
		n := int(w.found)
		j.Found, j.Matches = &n, append([]int64{}, w.matches...)
		err = w.a.printJSON(j)
	}
	if err == nil && w.found == 0 {
		return errReported // as grep: nothing is wrong, and nothing was found
	}
	return err
}

// parseHex parses bytes in hexadecimal: 7f454c46, "7f 45 4c 46", 7f:45:4c:46, 0x7f454c46.
func parseHex(text string) ([]byte, error) {
	digits := strings.NewReplacer(" ", "", ":", "").Replace(strings.TrimPrefix(strings.TrimPrefix(text, "0x"), "0X"))
	b, err := hex.DecodeString(digits)
	switch {
	case digits == "":
		return nil, errors.New("there is nothing to find")
	case errors.Is(err, hex.ErrLength):
		return nil, fmt.Errorf("%q has half a byte too many", text)
	case err != nil:
		return nil, fmt.Errorf("%q is not hexadecimal", text)
	}
	return b, nil
}

// scanMapping scans a mapping as filemap.Scan scans a file.
func scanMapping(ctx context.Context, m *shmkit.Mapping, from, to int64, o *filemap.ScanOptions, do func(int64, []byte) error) error {
	var kept []byte // the last bytes of the piece before
	at := from
	return readRange(ctx, m, from, to, func(p []byte) error {
		piece := append(kept, p...)
		err := do(at-int64(len(kept)), piece)
		at += int64(len(p))
		kept = append([]byte(nil), piece[max(0, len(piece)-o.Overlap):]...)
		if err == nil && o.Progress != nil {
			o.Progress(at-from, to-from)
		}
		return err
	})
}
