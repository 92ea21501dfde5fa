package model

import (
	"fmt"
	"strconv"
	"strings"
)

// An Op is one operation of one process, as data. Its text form is one line:
//
//	A mmap addr=3p len=2p prot=rw- flags=shared,locked fd=d0 off=1p
//
// the process, the call, and the arguments that the call takes (table calls). Addresses
// count from the start of the arena. Numbers of bytes are written in pages and bytes: 2p,
// 1p+100, 17, 1p-1. Arguments that are zero or empty are left out.
type Op struct {
	Proc string
	Call string

	Addr int64 // where in the arena
	Len  int64
	New  int64 // new length, of mremap
	To   int64 // new address, of mremap
	Prot Prot

	FD   string // name of a descriptor of the process
	From string // descriptor of any process, as "A.d0"
	Off  int64  // in the object
	Size int64  // of the object

	ID   string // name of a segment, as scripts know it
	Key  int    // of a segment; 0 is IPC_PRIVATE
	Mode int    // permission bits

	Flags Flags
	Val   byte
}

// A field is one argument: its name, and how it is printed (empty: left out) and parsed.
type field struct {
	name  string
	print func(*Op) string
	parse func(*Op, string) error
}

func bytesField(name string, at func(*Op) *int64) field {
	return field{name, func(o *Op) string {
		if *at(o) == 0 {
			return ""
		}
		return Count(*at(o))
	}, func(o *Op, s string) (err error) {
		*at(o), err = ParseCount(s)
		return err
	}}
}

func wordField(name string, at func(*Op) *string) field {
	return field{name, func(o *Op) string { return *at(o) }, func(o *Op, s string) error {
		*at(o) = s
		return nil
	}}
}

func numberField(name, format string, base, bits int, get func(*Op) int, set func(*Op, int)) field {
	return field{name, func(o *Op) string {
		if get(o) == 0 {
			return ""
		}
		return fmt.Sprintf(format, get(o))
	}, func(o *Op, s string) error {
		n, err := strconv.ParseUint(s, base, bits)
		set(o, int(n))
		return err
	}}
}

// fields are all arguments, in the order in which they are printed.
var fields = []field{
	wordField("id", func(o *Op) *string { return &o.ID }),
	numberField("key", "%d", 10, 15, func(o *Op) int { return o.Key }, func(o *Op, n int) { o.Key = n }),
	wordField("fd", func(o *Op) *string { return &o.FD }),
	wordField("from", func(o *Op) *string { return &o.From }),
	bytesField("addr", func(o *Op) *int64 { return &o.Addr }),
	bytesField("off", func(o *Op) *int64 { return &o.Off }),
	bytesField("len", func(o *Op) *int64 { return &o.Len }),
	bytesField("new", func(o *Op) *int64 { return &o.New }),
	bytesField("to", func(o *Op) *int64 { return &o.To }),
	bytesField("size", func(o *Op) *int64 { return &o.Size }),
	numberField("mode", "%03o", 8, 9, func(o *Op) int { return o.Mode }, func(o *Op, n int) { o.Mode = n }),
	{"prot", func(o *Op) string {
		if o.Prot == 0 {
			return ""
		}
		return o.Prot.String()
	}, func(o *Op, s string) error {
		for i, c := range s {
			if i > 2 || c != '-' && c != rune("rwx"[i]) {
				return fmt.Errorf("protection %q is not like r-x", s)
			}
			if c != '-' {
				o.Prot |= 1 << i
			}
		}
		return nil
	}},
	{"flags", func(o *Op) string { return string(o.Flags) }, func(o *Op, s string) error {
		o.Flags = Flags(s)
		return nil
	}},
	numberField("val", "%d", 10, 8, func(o *Op) int { return int(o.Val) }, func(o *Op, n int) { o.Val = byte(n) }),
}

// String returns the text form.
func (o Op) String() string {
	words := []string{o.Proc, o.Call}
	for _, f := range fields {
		if text := f.print(&o); text != "" {
			words = append(words, f.name+"="+text)
		}
	}
	return strings.Join(words, " ")
}

// ParseOp is the reverse of Op.String.
func ParseOp(line string) (Op, error) {
	words := strings.Fields(line)
	if len(words) < 2 {
		return Op{}, fmt.Errorf("%q: want a process and a call", line)
	}
	op := Op{Proc: words[0], Call: words[1]}
	c, ok := calls[op.Call]
	if !ok {
		return Op{}, fmt.Errorf("%q: no such call", line)
	}
	for _, w := range words[2:] {
		name, value, _ := strings.Cut(w, "=")
		if !c.takes(name) {
			return Op{}, fmt.Errorf("%q: %s does not take %q", line, op.Call, name)
		}
		for _, f := range fields {
			if f.name != name {
				continue
			}
			if err := f.parse(&op, value); err != nil {
				return Op{}, fmt.Errorf("%q: %s: %w", line, name, err)
			}
		}
	}
	return op, op.check(c)
}

// check refuses what a script cannot mean.
func (o Op) check(c call) error {
	for _, flag := range o.Flags.List() {
		if !Flags(c.flags).Has(flag) {
			return fmt.Errorf("%v: %s has no flag %q, only %s", o, o.Call, flag, c.flags)
		}
	}
	const arena = ArenaPages * PageSize
	if o.Proc != "A" && o.Proc != "B" {
		return fmt.Errorf("%v: the processes are A and B", o)
	}
	if o.Addr < 0 || o.Len < 0 || o.Addr+o.Len > arena || o.To < 0 || o.To+o.New > arena || o.New < 0 || o.Addr+1 > arena {
		return fmt.Errorf("%v: outside the %d pages of the arena", o, ArenaPages)
	}
	return nil
}

// Count writes a number of bytes as scripts do: in pages, and bytes left over.
func Count(n int64) string {
	pages, rest := n/PageSize, n%PageSize
	switch {
	case n < PageSize:
		return strconv.FormatInt(n, 10)
	case rest == 0:
		return fmt.Sprintf("%dp", pages)
	default:
		return fmt.Sprintf("%dp+%d", pages, rest)
	}
}

// ParseCount is the reverse of Count.
func ParseCount(s string) (int64, error) {
	before, after, ok := strings.Cut(s, "p")
	if !ok {
		return strconv.ParseInt(s, 10, 64)
	}
	pages, err := strconv.ParseInt(before, 10, 52)
	if err != nil || after == "" {
		return pages * PageSize, err
	}
	rest, err := strconv.ParseInt(after, 10, 52) // with its sign
	return pages*PageSize + rest, err
}

// Bytes describes the content of memory by the bytes that are not zero: "0:7 100:1".
func Bytes(b []byte) string {
	var words []string
	for i, v := range b {
		if v != 0 {
			words = append(words, fmt.Sprintf("%d:%d", i, v))
		}
	}
	if len(words) > 8 {
		words = append(words[:8], fmt.Sprintf("and %d more", len(words)-8))
	}
	if len(words) == 0 {
		return "zeros"
	}
	return strings.Join(words, " ")
}
