package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

func newScanCommand(a *app) *cobra.Command {
	var s scan
	cmd := &cobra.Command{
		Use:        "scan FILE|ADDRESS [flags]",
		SuggestFor: []string{"sum", "sha256sum", "grep", "search", "find", "checksum"},
		Short:      "Compute the checksum of memory or a file, or search it",
		Long: `Scan reads a file of any size, or the memory of an object, through a mapped window
that moves over it: it takes a bounded piece of memory and copies nothing.

It prints a checksum (--sum), as sha256sum does, or with --find or --hex the offset
of every place where some bytes stand, one a line, overlapping ones too. Then the
exit code is 1 if there is none, as grep has it. With --json it ends after 100000 of
them, unless --max says otherwise: "ended_max" tells.

--resident bounds how much of a file is mapped, and so counts as this process's
memory, at a time. What it read stays in the kernel's cache; --drop-cache gives
back what nobody else has mapped. Holes of a sparse file are not read.

A FILE whose name has a colon is said as ./FILE.`,
		Example: `  shmkit scan image.iso
  shmkit scan posix:/frames --sum crc32 --json
  shmkit scan core.4711 --find "password=" --max 10
  shmkit scan file:/var/big --hex 7f454c46 --resident 8M`,
		Args: exactArgs(1),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
			found, directive := completeOne[kind.Memory](a)(cmd, args, text)
			if len(args) == 0 && len(found) == 0 || directive&cobra.ShellCompDirectiveNoSpace != 0 {
				directive &^= cobra.ShellCompDirectiveNoFileComp // it may be a FILE
			}
			return found, directive
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			addr, err := address.ParseOrPath(args[0])
			if err != nil {
				return &kind.UsageError{Err: err}
			}
			if addr, err = a.parseAddress(addr.String()); err != nil { // and one of what exists
				return err
			}
			return s.run(cmd, a, addr, args[0])
		},
	}
	s.sum = textFlag{"sha256", "NAME"}
	cmd.Flags().Var(&s.sum, "sum", "checksum: "+listed(sumNames(), "or"))
	completeFlag(cmd, "sum", false, sumNames()...)
	cmd.Flags().StringVar(&s.find, "find", "", "search for `TEXT` instead")
	cmd.Flags().StringVar(&s.hex, "hex", "", "search for these `BYTES`, in hexadecimal, instead")
	cmd.Flags().Int64Var(&s.most, "max", 0, "end after `N` places (default: no bound)")
	s.part.registerOffset(cmd)
	s.part.registerLength(cmd)
	cmd.Flags().Var(&s.resident, "resident", "map at most so much of a file at a time (default 16M)")
	cmd.Flags().BoolVar(&s.dropCache, "drop-cache", false, "don't leave it in the kernel's cache")
	jsonFlag(cmd, &s.asJSON, "print one JSON object")
	return cmd
}

type scan struct {
	sum       textFlag
	find, hex string
	most      int64
	part      rangeFlags
	resident  sizeFlag
	dropCache bool
	asJSON    bool
}

// scannedJSON is what a scan found, for programs. The keys are stable.
type scannedJSON struct {
	Address string  `json:"address"`
	Offset  int64   `json:"offset"`
	Bytes   int64   `json:"bytes"` // that were scanned; with ended_max up to the end of the last match
	Seconds float64 `json:"seconds"`
	Sum     *string `json:"sum"`       // null: it was searched
	SumName *string `json:"sum_name"`  // "sha256"
	Matches []int64 `json:"matches"`   // offsets in the object; null: it was not searched
	Found   *int    `json:"found"`     // how many
	Ended   bool    `json:"ended_max"` // --max was reached: there may be more
}

func (s *scan) run(cmd *cobra.Command, a *app, addr address.Address, name string) error {
	w, err := s.work(cmd, a, name)
	if err != nil {
		return err
	}
	memory, err := kind.Find[kind.Memory](a.kinds, addr, "scan", "memory to scan")
	if err != nil {
		return err
	}
	bar := &scanProgress{a: a, begin: time.Now()}
	scanned := s.part.offset.n // up to here
	add := func(off int64, p []byte) error {
		n, err := w.add(off, p)
		scanned = max(scanned, off+int64(n))
		return err
	}
	o := &filemap.ScanOptions{
		Off: s.part.offset.n, Len: s.part.length.n, Resident: s.resident.n, DropCache: s.dropCache, Overlap: w.overlap(),
		Progress: bar.set,
	}
	if s.part.length.given && s.part.length.n == 0 {
		err = s.nothing(cmd.Context(), memory, addr)
	} else {
		if hole := w.hole(); hole != nil {
			o.Hole = inPieces(cmd.Context(), hole, func(end int64) {
				scanned = max(scanned, end)
				bar.set(end-o.Off, bar.total)
			})
		}
		err = s.scan(cmd.Context(), memory, addr, o, add)
	}
	bar.end()
	if err != nil && !errors.Is(err, errEnough) {
		if ferr := w.flush(); ferr != nil {
			return ferr
		}
		return err
	}
	j := scannedJSON{Address: addr.String(), Offset: o.Off, Bytes: scanned - o.Off, Seconds: time.Since(bar.begin).Seconds(), Ended: err != nil}
	return w.report(j)
}

// scanProgress shows how far a scan is. How much there is is known when a first piece
// is done.
type scanProgress struct {
	a     *app
	begin time.Time
	total int64 // 0: not known
	bar   *progress
}

func (p *scanProgress) set(done, total int64) {
	if p.bar == nil {
		p.bar = p.a.newProgress("scanning", -1)
	}
	if p.total = total; p.bar != nil && total > 0 {
		p.bar.size = total
	}
	p.bar.set(done)
}

func (p *scanProgress) end() { p.bar.end() }

// inPieces makes a function that takes a hole of any size take a piece of it at a
// time, to show how far it is and to be interrupted.
func inPieces(ctx context.Context, hole func(off, n int64) error, done func(end int64)) func(off, n int64) error {
	const most = 16 << 20
	return func(off, n int64) error {
		for n > 0 {
			piece := min(n, most)
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := hole(off, piece); err != nil {
				return err
			}
			off, n = off+piece, n-piece
			done(off)
		}
		return nil
	}
}

// scan scans by windows where the kind can, and else the whole mapping.
func (s *scan) scan(ctx context.Context, memory kind.Memory, addr address.Address, o *filemap.ScanOptions, do func(int64, []byte) error) error {
	if scanner, ok := memory.(kind.Scanner); ok {
		if err := scanner.Scan(ctx, addr, o, do); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	if s.resident.given || s.dropCache {
		return usagef("%s is memory as a whole: --resident and --drop-cache are for files", addr)
	}
	m, err := memory.OpenMemory(addr, false)
	if err != nil {
		return err
	}
	from, to, err := s.part.in(m)
	if err == nil {
		err = scanMapping(ctx, m, from, to, o, do)
	}
	if cerr := m.Close(); err == nil {
		err = cerr
	}
	return err
}

// nothing checks what is asked for 0 bytes.
func (s *scan) nothing(_ context.Context, memory kind.Memory, addr address.Address) error {
	m, err := memory.OpenMemory(addr, false)
	if err != nil {
		return err
	}
	_, _, err = s.part.in(m)
	if cerr := m.Close(); err == nil {
		err = cerr
	}
	return err
}

// work returns what is to be done with the bytes.
func (s *scan) work(cmd *cobra.Command, a *app, name string) (scanWork, error) {
	summing, finding, hexing := cmd.Flags().Changed("sum"), cmd.Flags().Changed("find"), cmd.Flags().Changed("hex")
	if summing && (finding || hexing) || finding && hexing {
		return nil, usagef("--sum, --find and --hex exclude each other")
	}
	if s.most < 1 && cmd.Flags().Changed("max") {
		return nil, usagef("--max must be at least 1, not %d", s.most)
	}
	if s.resident.given && s.resident.n < 1 {
		return nil, usagef("--resident must be at least 1 byte")
	}
	if !finding && !hexing {
		if s.most > 0 {
			return nil, usagef("--max goes with --find or --hex")
		}
		return newSumWork(a, s.sum.text, name, s.asJSON)
	}
	pattern, err := s.pattern(finding)
	if err != nil {
		return nil, err
	}
	return &findWork{a: a, pattern: pattern, most: s.most, asJSON: s.asJSON, out: bufio.NewWriter(a.out), ctx: cmd.Context()}, nil
}

func (s *scan) pattern(text bool) ([]byte, error) {
	if text {
		if s.find == "" {
			return nil, usagef("--find: there is nothing to find")
		}
		return checkPattern([]byte(s.find), "--find")
	}
	b, err := parseHex(s.hex)
	if err != nil {
		return nil, usagef("--hex: %v", err)
	}
	return checkPattern(b, "--hex")
}

// longestPattern is what is searched for at most, in bytes.
const longestPattern = 1 << 20

func checkPattern(b []byte, flag string) ([]byte, error) {
	if len(b) > longestPattern {
		return nil, usagef("%s: at most %d bytes are searched for, not %d", flag, longestPattern, len(b))
	}
	return b, nil
}

// errEnough ends a scan that found as much as was wanted.
var errEnough = fmt.Errorf("enough was found")
