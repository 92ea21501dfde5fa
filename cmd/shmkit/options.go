package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

// kindFlags are the options of all kinds that have one capability, as flags of
// one command.
type kindFlags struct {
	cmd   *cobra.Command
	kinds map[string][]kind.Option // by name of kind
	order []string                 // names of the kinds
	flags map[string]*optionFlag   // by name of option
}

// newKindFlags adds a flag for each option of the kinds with the capability C.
func newKindFlags[C any](a *app, cmd *cobra.Command, options func(C) []kind.Option) *kindFlags {
	f := &kindFlags{cmd: cmd, kinds: map[string][]kind.Option{}, flags: map[string]*optionFlag{}}
	for _, k := range kind.With[C](a.kinds) {
		f.kinds[k.Name()] = options(k.Can)
		f.order = append(f.order, k.Name())
	}
	for _, name := range f.order {
		for _, o := range f.kinds[name] {
			if f.flags[o.Name] == nil {
				f.add(o)
			}
		}
	}
	return f
}

func (f *kindFlags) add(o kind.Option) {
	flag := &optionFlag{option: o}
	f.flags[o.Name] = flag
	usage := o.Usage
	if have := f.with(o.Name); len(have) < len(f.order) {
		usage += " (" + strings.Join(have, ", ") + ")"
	}
	if o.Default != nil {
		usage += " (default " + optionText(o.Default) + ")"
	}
	f.cmd.Flags().Var(flag, o.Name, usage)
	if o.Type == kind.SwitchOption {
		f.cmd.Flags().Lookup(o.Name).NoOptDefVal = "true"
	}
	if o.Words != nil {
		completeFlag(f.cmd, o.Name, o.Type == kind.ListOption, o.Words...)
	}
}

func optionText(v any) string {
	if m, ok := v.(fs.FileMode); ok {
		return kind.Mode(m).Short()
	}
	return fmt.Sprint(v)
}

// with lists the kinds that have an option: "sem:".
func (f *kindFlags) with(option string) []string {
	var have []string
	for _, name := range f.order {
		if slices.ContainsFunc(f.kinds[name], func(o kind.Option) bool { return o.Name == option }) {
			have = append(have, name+":")
		}
	}
	return have
}

// options returns what was given for an object at addr, and the defaults.
func (f *kindFlags) options(addr address.Address) (o kind.Options, given int, err error) {
	o = kind.Options{}
	for name, flag := range f.flags {
		if flag.given && !slices.Contains(f.with(name), addr.Kind+":") {
			return nil, 0, usagef("--%s does not apply to %s; it is for %s", name, addr, strings.Join(f.with(name), ", "))
		}
	}
	for _, option := range f.kinds[addr.Kind] {
		flag := f.flags[option.Name]
		switch {
		case flag.given:
			o[option.Name] = flag.value
			given++
		case option.Required:
			return nil, 0, usagef("%s needs --%s %s", addr, option.Name, option.Placeholder)
		case option.Default != nil:
			o[option.Name] = option.Default
		}
	}
	return o, given, nil
}

// optionFlag is an option as a flag.
type optionFlag struct {
	option kind.Option
	given  bool
	text   string
	value  any
}

// Set implements pflag.Value, as the methods below.
func (f *optionFlag) Set(text string) (err error) {
	f.given, f.text = true, text
	switch f.option.Type {
	case kind.SwitchOption:
		f.value, err = strconv.ParseBool(text)
		if err != nil {
			err = errors.New("write true or false, or no value")
		}
	case kind.SizeOption:
		f.value, err = parseSize(text)
	case kind.NumberOption:
		f.value, err = parseNumber(text)
	case kind.ModeOption:
		f.value, err = parseMode(text)
	case kind.UserOption:
		f.value, err = parseUser(text)
	case kind.GroupOption:
		f.value, err = parseGroup(text)
	case kind.ListOption:
		before, _ := f.value.([]string)
		f.value = append(before, strings.Split(text, ",")...)
	}
	return err
}

func (f *optionFlag) String() string { return f.text }

// Type implements pflag.Value: what help shows for the value.
func (f *optionFlag) Type() string {
	if f.option.Type == kind.SwitchOption {
		return "bool"
	}
	return f.option.Placeholder
}

func parseNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && n > math.MaxInt32:
		return 0, fmt.Errorf("%s is outside 0 to %d", text, math.MaxInt32)
	case err != nil:
		return 0, fmt.Errorf("%q is no number", text)
	case n < 0:
		return 0, fmt.Errorf("%d is negative", n)
	}
	return n, nil
}

// parseUser finds a user by name or, if there is none of that name, by number.
func parseUser(text string) (uint32, error) {
	u, err := user.Lookup(text)
	if err == nil {
		text = u.Uid
	}
	return parseID(text, "user")
}

// parseGroup finds a group likewise.
func parseGroup(text string) (uint32, error) {
	g, err := user.LookupGroup(text)
	if err == nil {
		text = g.Gid
	}
	return parseID(text, "group")
}

// parseID parses the number of a user or group. The largest one of 32 bits means
// "none" to the kernel.
func parseID(text, what string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == math.MaxUint32 {
		return 0, fmt.Errorf("no %s is called %q, and it is no number of one", what, text)
	}
	return uint32(n), nil
}

// names lists the flags of a kind for people.
func (f *kindFlags) names(kindName string) string {
	var names []string
	for _, o := range f.kinds[kindName] {
		names = append(names, "--"+o.Name)
	}
	return listed(names, "or")
}
