package kind

import "io/fs"

// Option is a flag of create or set that a kind understands. The verb shows the
// options of all kinds, refuses what the kind at hand has none of, and demands
// what it requires.
type Option struct {
	Name        string // "size", without dashes; the same name has the same type in every kind
	Type        OptionType
	Placeholder string // for the value, in help: "BYTES"
	Usage       string // for help, lower case, without the kind
	Required    bool
	Default     any // used when the option is not given; nil: none
	// Words are the values there are, or of a list those of its elements; nil if nobody can
	// tell. A shell completes them.
	Words []string
}

// OptionType is how an option is written, and the Go type of its value.
type OptionType int

// Option types.
const (
	SwitchOption OptionType = iota // no value; bool
	SizeOption                     // bytes, at least 0: 4096, 64K; int64
	NumberOption                   // at least 0; int64
	ModeOption                     // octal permission bits; fs.FileMode
	UserOption                     // a name or number; uint32
	GroupOption                    // likewise
	ListOption                     // texts with commas between, or the flag several times; []string
)

// Options are the options that were given, and the defaults of the others, by
// name. Values have the Go type that the OptionType says.
type Options map[string]any

// Given returns the value of an option, and whether there is one.
func Given[T any](o Options, name string) (T, bool) {
	v, ok := o[name].(T)
	return v, ok
}

// Int64 returns the value of a SizeOption or NumberOption, 0 if there is none.
func (o Options) Int64(name string) int64 {
	v, _ := Given[int64](o, name)
	return v
}

// On reports whether a SwitchOption was given.
func (o Options) On(name string) bool {
	v, _ := Given[bool](o, name)
	return v
}

// Mode returns the value of a ModeOption, 0 if there is none.
func (o Options) Mode(name string) fs.FileMode {
	v, _ := Given[fs.FileMode](o, name)
	return v
}
