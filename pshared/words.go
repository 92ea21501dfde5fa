package pshared

import (
	"fmt"
	"reflect"
	"structs"

	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/internal/words"
)

// wordKind is what a word in shared memory is. The numbers are written into objects, so
// that an outsider finds the words of a struct (docs/abi/struct.md).
type wordKind uint32

const (
	mutexWord     wordKind = 1
	rwMutexWord   wordKind = 2
	condWord      wordKind = 3
	semaphoreWord wordKind = 4
	countingWord  wordKind = 5
	eventWord     wordKind = 6
	barrierWord   wordKind = 7
	onceWord      wordKind = 8
	autoEventWord wordKind = 9
)

// A wordType is one of the types that a struct for Open may hold.
type wordType struct {
	kind wordKind
	name string // for people
	// entry: every member has an entry for it in its record.
	entry bool
	// recover makes good what a dead member's entry says, and clears it; nil: clearing is
	// enough. It comes out right if it is done twice, and whoever does it need not be a member.
	recover func(o *object.Object, at *place, slot int) error
	// see tells of the word to an outsider; it believes nothing that it reads.
	see func(s *sight, w *WordInfo)
	// size and align of the type, bytes.
	size, align int64
}

// described is w with the size of the word type W.
func described[W any](w wordType) wordType {
	t := reflect.TypeFor[W]()
	w.size, w.align = int64(t.Size()), int64(t.Align())
	return w
}

var wordTypes = map[reflect.Type]wordType{
	reflect.TypeFor[MutexWord]():   described[MutexWord](wordType{kind: mutexWord, name: "mutex", see: seeMutex}),
	reflect.TypeFor[RWMutexWord](): described[RWMutexWord](wordType{kind: rwMutexWord, name: "rwmutex", entry: true, see: seeRWMutex}),

	reflect.TypeFor[SemaphoreWord](): described[SemaphoreWord](wordType{
		kind: semaphoreWord, name: "semaphore", entry: true, recover: returnPermits, see: seeSemaphore}),
	reflect.TypeFor[CountingWord](): described[CountingWord](wordType{
		kind: countingWord, name: "counting semaphore", entry: true, recover: loseTokens, see: seeCounting}),
	reflect.TypeFor[EventWord]():     described[EventWord](wordType{kind: eventWord, name: "event", see: seeEvent}),
	reflect.TypeFor[AutoEventWord](): described[AutoEventWord](wordType{kind: autoEventWord, name: "auto event", see: seeEvent}),
	reflect.TypeFor[CondWord]():      described[CondWord](wordType{kind: condWord, name: "cond", entry: true, recover: recoverCond, see: seeCond}),
	reflect.TypeFor[OnceWord]():      described[OnceWord](wordType{kind: onceWord, name: "once", see: seeOnce}),
	reflect.TypeFor[BarrierWord]():   described[BarrierWord](wordType{kind: barrierWord, name: "barrier", entry: true, recover: recoverBarrier, see: seeBarrier}),
}

// wordTypeOf finds them by kind.
var wordTypeOf = func() map[wordKind]wordType {
	m := map[wordKind]wordType{}
	for _, w := range wordTypes {
		m[w.kind] = w
	}
	return m
}()

// An entry is what a member's record says of one word.
type entry struct {
	_    structs.HostLayout
	a, b words.Uint64
}

// entrySize is the size of a member's entry for one word, bytes.
const entrySize = 16

// A place is where a word is.
type place struct {
	offset int64
	kind   wordKind
	path   string // as in "Accounts[3].Mu"; "" for the whole
	entry  int    // its number among those with entries; -1: it has none
}

// placesOf lists the words in a type, in the order of their offsets.
func placesOf(t reflect.Type) (places []place, entries int) {
	var walk func(t reflect.Type, offset int64, path string)
	walk = func(t reflect.Type, offset int64, path string) {
		if w, ok := wordTypes[t]; ok {
			p := place{offset: offset, kind: w.kind, path: path, entry: -1}
			if w.entry {
				p.entry = entries
				entries++
			}
			places = append(places, p)
			return
		}
		switch t.Kind() {
		case reflect.Array:
			if !holdsWords(t.Elem()) { // which may be a billion of bytes
				return
			}
			for i := range t.Len() {
				walk(t.Elem(), offset+int64(i)*int64(t.Elem().Size()), fmt.Sprintf("%s[%d]", path, i))
			}
		case reflect.Struct:
			for i := range t.NumField() {
				f := t.Field(i)
				name := f.Name
				if path != "" {
					name = path + "." + name
				}
				walk(f.Type, offset+int64(f.Offset), name)
			}
		}
	}
	walk(t, 0, "")
	return places, entries
}

// holdsWords reports whether a type has any.
func holdsWords(t reflect.Type) bool {
	if _, ok := wordTypes[t]; ok {
		return true
	}
	switch t.Kind() {
	case reflect.Array:
		return t.Len() > 0 && holdsWords(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if holdsWords(t.Field(i).Type) {
				return true
			}
		}
	}
	return false
}

// recoverRecord makes good what a dead member's record says.
func recoverRecord(o *object.Object, slot int, places []place) error {
	for i := range places {
		p := &places[i]
		if w := wordTypeOf[p.kind]; p.entry >= 0 && w.recover != nil {
			if err := w.recover(o, p, slot); err != nil {
				return err
			}
		}
	}
	return nil
}
