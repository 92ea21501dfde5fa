package kind

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// Value is the value of a field. It encodes itself as JSON for programs, and has
// two texts for people.
type Value interface {
	// Short is for a cell of a table: "64K".
	Short() string
	// Long is for a line of its own: "64 KiB (65536 bytes)".
	Long() string
}

// none stands in a table for what there is nothing to say about.
const none = "-"

// None is the value of what there is none of, such as the holder of a lock that nobody holds. It is null in JSON.
type None struct{}

// Text is a word or a sentence.
type Text string

// Count is a number of things.
type Count uint64

// Bytes is a size.
type Bytes uint64

// Mode is nine permission bits. In JSON it is a string, "0600".
type Mode fs.FileMode

// Key is a System V key. In JSON it is a string, "0x00005eed".
type Key uint32

// PID is a process; 0 is none, null in JSON.
type PID int

// Time is a time; the zero Time is never, null in JSON.
type Time time.Time

// Marks are the states an object is in besides the usual.
type Marks []string

// Flag is yes or no.
type Flag bool

// Principal is a user or group. In JSON it is the name alone: the number is a
// field of its own.
type Principal struct {
	Name string // the number if it has none
	ID   uint32
}

// Unknown is a value that can't be told; the text says why. It is null in JSON.
type Unknown string

// List is a table within an object.
type List struct {
	Columns []Column
	Items   []Object
}

// Short implements Value, as on all types below.
func (t Text) Short() string {
	if t == "" {
		return none
	}
	return string(t)
}

// Long implements Value, as on all types below.
func (t Text) Long() string { return t.Short() }

func (n Count) Short() string { return strconv.FormatUint(uint64(n), 10) }
func (n Count) Long() string  { return n.Short() }

func (b Bytes) Short() string {
	n, unit := b.human()
	return n + strings.TrimSuffix(unit, "iB")
}

func (b Bytes) Long() string {
	if b < 1024 {
		return b.Human()
	}
	return fmt.Sprintf("%s (%d bytes)", b.Human(), uint64(b))
}

// Human returns the size for a sentence: "64 KiB", "17 bytes".
func (b Bytes) Human() string {
	n, unit := b.human()
	switch {
	case b == 1:
		return "1 byte"
	case unit == "":
		return n + " bytes"
	}
	return n + " " + unit
}

// human returns the size in the largest unit of which it has one, with one digit
// behind the point when it isn't whole.
func (b Bytes) human() (number, unit string) {
	const units = "KMGTPE"
	if b < 1024 {
		return strconv.FormatUint(uint64(b), 10), ""
	}
	shift := 10
	for shift < 60 && b>>(shift+10) > 0 {
		shift += 10
	}
	unit = units[shift/10-1:shift/10] + "iB"
	whole, rest := uint64(b)>>shift, uint64(b)&(1<<shift-1)
	if rest == 0 {
		return strconv.FormatUint(whole, 10), unit
	}
	// Rounded down: nothing is shown larger than it is.
	return fmt.Sprintf("%d.%d", whole, rest>>(shift-10)*10>>10), unit
}

func (m Mode) Short() string                { return fmt.Sprintf("%04o", uint32(m)) }
func (m Mode) Long() string                 { return fmt.Sprintf("%04o (%s)", uint32(m), fs.FileMode(m).String()[1:]) }
func (m Mode) MarshalJSON() ([]byte, error) { return json.Marshal(m.Short()) }

func (k Key) Short() string                { return fmt.Sprintf("0x%08x", uint32(k)) }
func (k Key) MarshalJSON() ([]byte, error) { return json.Marshal(k.Short()) }

func (k Key) Long() string {
	if k == 0 {
		return k.Short() + " (private)"
	}
	return k.Short()
}

func (p PID) Short() string {
	if p == 0 {
		return none
	}
	return strconv.Itoa(int(p))
}

func (p PID) Long() string { return p.Short() }

// MarshalJSON implements json.Marshaler.
func (p PID) MarshalJSON() ([]byte, error) {
	if p == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(int(p))
}

func (None) Short() string                { return none }
func (None) Long() string                 { return none }
func (None) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

func (t Time) Short() string { return shortTime(time.Time(t), time.Now()) }

// shortTime is the time of day today, the day this year, else the year as well.
func shortTime(t, now time.Time) string {
	if t.IsZero() {
		return none
	}
	t, now = t.Local(), now.Local()
	switch {
	case t.Year() == now.Year() && t.YearDay() == now.YearDay():
		return t.Format("15:04")
	case t.Year() == now.Year():
		return t.Format("Jan02")
	}
	return t.Format("2006-Jan02")
}

func (t Time) Long() string {
	if time.Time(t).IsZero() {
		return "never"
	}
	return time.Time(t).Local().Format("2006-01-02 15:04:05 -0700")
}

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(time.Time(t).Local().Format(time.RFC3339))
}

func (m Marks) Short() string {
	if len(m) == 0 {
		return none
	}
	return strings.Join(m, ",")
}

func (m Marks) Long() string {
	if len(m) == 0 {
		return "none"
	}
	return strings.Join(m, ", ")
}

// MarshalJSON implements json.Marshaler: no marks are an empty array.
func (m Marks) MarshalJSON() ([]byte, error) { return json.Marshal(append([]string{}, m...)) }

func (f Flag) Short() string {
	if f {
		return "yes"
	}
	return "no"
}

func (f Flag) Long() string { return f.Short() }

func (p Principal) Short() string                { return p.Name }
func (p Principal) MarshalJSON() ([]byte, error) { return json.Marshal(p.Name) }

func (p Principal) Long() string {
	if number := strconv.FormatUint(uint64(p.ID), 10); p.Name != number {
		return p.Name + " (" + number + ")"
	}
	return p.Name
}

func (Unknown) Short() string                { return none }
func (u Unknown) Long() string               { return "unknown: " + string(u) }
func (Unknown) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

func (l List) Short() string { return strconv.Itoa(len(l.Items)) }
func (l List) Long() string  { return l.Short() }

// MarshalJSON implements json.Marshaler: an empty list is an empty array.
func (l List) MarshalJSON() ([]byte, error) { return json.Marshal(append([]Object{}, l.Items...)) }
