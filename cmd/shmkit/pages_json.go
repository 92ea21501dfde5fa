package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/shmkit/shmkit/inspect"
)

// pagesJSON is what pages --json begins with, for programs. The keys are stable. The object
// and the processes, of which each has its runs, follow: they are written as they are read.
type pagesJSON struct {
	Address  string `json:"address"`
	Kind     string `json:"kind"` // of the object; "map" for a mapping of private memory
	PageSize int    `json:"page_size"`
	Offset   int64  `json:"offset"` // of the first page, in the object or the mapping
	Pages    int64  `json:"pages"`
	Attached bool   `json:"attached"` // the segment was attached to look at it
	Hidden   int    `json:"processes_hidden"`
}

// pageRunJSON is a run of pages.
type pageRunJSON struct {
	Offset  int64    `json:"offset"`
	Address string   `json:"address,omitempty"` // of a process, hexadecimal
	Pages   int64    `json:"pages"`
	State   []string `json:"state"`
	Frame   string   `json:"frame,omitempty"`  // of the first page, hexadecimal; the others follow it
	Mapped  int      `json:"mapped,omitempty"` // entries of page tables that lead to each frame
}

type pageRangeJSON struct {
	Start      string `json:"start"`
	Length     uint64 `json:"length"`
	Offset     uint64 `json:"offset"`
	Protection string `json:"protection"`
}

// writeJSON writes runs as they are read: of an object that is larger than memory there may be many.
func (s *pageSubject) writeJSON(ctx context.Context, w io.Writer, o *inspect.PagesOptions) (err error) {
	p, err := s.open(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	j := pagesJSON{
		Address: s.name, Kind: inspect.KindMap, PageSize: p.PageSize, Offset: p.First * int64(p.PageSize), Pages: p.Count,
		Attached: p.Attached, Hidden: p.Hidden,
	}
	if s.object != nil {
		j.Address, j.Kind = s.object.Address, s.object.Kind
	}
	out := &jsonWriter{w: w}
	out.print("{\n")
	out.fields("  ", j)
	out.print("  \"object\": ")
	if p.Object == nil {
		out.print("null")
	} else {
		out.view(ctx, p, p.Object, "  ")
	}
	out.print(",\n  \"processes\": [")
	for i, v := range p.Processes {
		if i > 0 {
			out.print(", ")
		}
		out.view(ctx, p, v, "  ")
	}
	out.print("]\n}\n")
	if out.err == nil {
		out.err = ctx.Err()
	}
	return out.err
}

// jsonWriter writes JSON in pieces. After an error it writes nothing.
type jsonWriter struct {
	w   io.Writer
	buf []byte
	err error
}

func (w *jsonWriter) print(text string) {
	w.buf = append(w.buf, text...)
	if len(w.buf) > 1<<15 || text == "]\n}\n" {
		if w.err == nil {
			_, w.err = w.w.Write(w.buf)
		}
		w.buf = w.buf[:0]
	}
}

// value is v on one line.
func (w *jsonWriter) value(v any) {
	line := jsonLine(v)
	w.print(string(line[:len(line)-1]))
}

// fields writes the fields of a struct, with a comma behind each.
func (w *jsonWriter) fields(indent string, v any) {
	text, err := json.MarshalIndent(v, "", indent)
	if err != nil {
		w.err = err
		return
	}
	w.print(string(text[2:len(text)-2]) + ",\n")
}

// view writes what the object or a process has.
func (w *jsonWriter) view(ctx context.Context, p *inspect.Pages, v *inspect.PageView, indent string) {
	w.print("{\n")
	if v.PID != 0 {
		w.print(indent + `  "pid": ` + fmt.Sprint(v.PID) + `, "command": `)
		w.value(v.Command)
		ranges := []pageRangeJSON{}
		for _, r := range v.Ranges {
			ranges = append(ranges, pageRangeJSON{fmt.Sprintf("%#x", r.Start), r.Len(), r.Offset, r.Protection.String()})
		}
		w.print(",\n" + indent + `  "mappings": `)
		w.value(ranges)
		w.print(",\n")
	}
	w.print(indent + `  "runs": [`)
	between := "\n"
	for r, err := range v.Runs(ctx, p.First, p.First+p.Count) {
		if err != nil {
			break // the view keeps it
		}
		j := pageRunJSON{Offset: r.First * int64(p.PageSize), Pages: r.Count, State: r.State.Names(), Mapped: r.Mapped}
		if addr, ok := v.Address(r.First); ok {
			j.Address = fmt.Sprintf("%#x", addr)
		}
		if r.Frame != 0 {
			j.Frame = fmt.Sprintf("%#x", r.Frame)
		}
		w.print(between + indent + "    ")
		between = ",\n"
		w.value(j)
		if w.err != nil {
			return
		}
	}
	w.print("\n" + indent + "  ],\n" + indent + `  "unknown": `)
	unknown := append([]string{}, v.Blind...)
	if v.Err != nil {
		unknown = append(unknown, v.Err.Error())
	}
	w.value(unknown)
	w.print("\n" + indent + "}")
}
