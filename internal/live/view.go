package live

import (
	"encoding/binary"
	"encoding/json"
	"io"

	"github.com/shmkit/shmkit/internal/model"
)

// A View is what the kernel shows of the arena of a process, as it stands in /proc.
type View struct {
	Maps   []string // lines of /proc/PID/maps
	Table  []uint64 // words of /proc/PID/pagemap, one for each page of the arena
	Faults Faults   // of the access that was watched, if there was one
}

// Faults are page faults of a thread, as getrusage counts them.
type Faults struct {
	Minor, Major int64
	Counted      bool // there was an access to count for
}

// A PageEntry is one word of /proc/PID/pagemap.
type PageEntry uint64

// State is the letter that the model has for it.
func (e PageEntry) State() byte { return stateOf(uint64(e)) }

// Frame is the number of the frame; 0 if there is none, or the kernel doesn't tell it to
// this user.
func (e PageEntry) Frame() uint64 {
	if !e.Present() {
		return 0
	}
	return uint64(e) & (1<<55 - 1)
}

// Present reports whether the page table leads to a frame.
func (e PageEntry) Present() bool { return e&pagemapPresent != 0 }

// Exclusive reports whether the page is mapped once only, by this process.
func (e PageEntry) Exclusive() bool { return e&pagemapExclusive != 0 }

// Entry returns what the page table has of a page of the arena.
func (v View) Entry(page int64) PageEntry { return PageEntry(v.Table[page]) }

// Address is where a page of the arena lies.
func Address(page int64) uint64 { return arenaAddr + uint64(page)*model.PageSize }

// ReadEntry reads what a page table has of a page of the arena, from /proc/PID/pagemap.
func ReadEntry(table io.ReaderAt, page int64) (PageEntry, error) {
	var word [8]byte
	_, err := table.ReadAt(word[:], (arenaAddr/model.PageSize+page)*8)
	return PageEntry(binary.NativeEndian.Uint64(word[:])), err
}

// view looks at the process, as one line of JSON.
func (p *player) view() (string, error) {
	areas, err := p.areas()
	if err != nil {
		return "", err
	}
	words, err := p.tableWords()
	if err != nil {
		return "", err
	}
	v := View{Table: words, Faults: p.faults}
	for _, a := range areas {
		v.Maps = append(v.Maps, a.line)
	}
	text, err := json.Marshal(v)
	return string(text), err
}

// tableWords reads the arena's part of /proc/self/pagemap.
func (p *player) tableWords() ([]uint64, error) {
	raw := make([]byte, 8*model.ArenaPages)
	if _, err := p.table.ReadAt(raw, arenaAddr/model.PageSize*8); err != nil {
		return nil, err
	}
	words := make([]uint64, model.ArenaPages)
	for i := range words {
		words[i] = binary.NativeEndian.Uint64(raw[8*i:])
	}
	return words, nil
}
