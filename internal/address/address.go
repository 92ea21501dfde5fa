// Package address parses and prints the addresses that shmkit's commands act on:
// KIND:REST, where KIND says what sort of object is meant and REST which of them,
// in the words of that kind.
//
//	sysv:0x5eed           System V shared memory segment by key (hexadecimal or decimal)
//	sysv:id=3             by identifier
//	sysv:ftok=PATH:C      by the key that ftok(3) makes of a path and a project byte
//	sysv:private          without a key; only for making one
//	sem:…, msg:…          semaphore sets and message queues, likewise
//	posix:NAME            POSIX shared memory object by name
//	file:PATH             regular file by path
//	memfd:PID/FD          sealed memory by a descriptor that a process has of it
//	memfd:self/FD         by one that the process itself was started with
//	map:PID/START         what a process maps at an address, hexadecimal
//	lock:NAME             lock that survives its holder's death, by name
//	struct:NAME           struct in shared memory, by name
//	queue:NAME            work queue, by name
//	topic:NAME            topic to publish to and subscribe to, by name
//	NAME                  the same: what has no kind is a topic
//
// An Address says what was written and no more: whether such an object exists,
// and what can be done with it, is package kind's to know.
//
// A new kind needs a row in the table of kinds and, if its REST is of a new
// shape, a type that is a Target and the function that parses it.
package address

import (
	"fmt"
	"slices"
	"strings"
)

// Address names an object. Two addresses are the same if they are == ; that does
// not mean that different ones name different objects.
type Address struct {
	Kind   string // the word before the colon, one of Kinds
	Target Target // what stands behind it
}

// Target says which object of a kind is meant. It is one of the types of this
// package, all of them comparable.
type Target interface {
	// String returns the target as it is written behind the colon.
	String() string
	target()
}

// kinds is what an address may begin with, in the order in which people are told,
// and how the rest is parsed.
var kinds = []struct {
	name  string
	parse func(rest string) (Target, error)
}{
	{"sysv", parseSysV},
	{"sem", parseSysV},
	{"msg", parseSysV},
	{"posix", parseName},
	{fileKind, parsePath},
	{"memfd", parseDescriptor},
	{"map", parseRegion},
	{"lock", parseObjectName},
	{"semaphore", parseObjectName},
	{"cond", parseObjectName},
	{"event", parseObjectName},
	{"barrier", parseObjectName},
	{"once", parseObjectName},
	{"struct", parseObjectName},
	{"queue", parseObjectName},
	{topicKind, parseObjectName},
}

// topicKind is the kind of what is written without one.
const topicKind = "topic"

// fileKind is the kind of what is written as the path of a file alone.
const fileKind = "file"

// Kinds returns the words that an address may begin with.
func Kinds() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

// String returns the address in the form that Parse takes: parsing it gives the
// same address.
func (a Address) String() string {
	if a.Target == nil {
		return a.Kind + ":"
	}
	return a.Kind + ":" + a.Target.String()
}

// Error is a text that is no address.
type Error struct {
	Text   string // what was parsed
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("bad address %q: %s", e.Text, e.Reason) }

// Parse parses an address. The error is an *Error.
func Parse(text string) (Address, error) {
	fail := func(reason string) (Address, error) { return Address{}, &Error{text, reason} }
	kind, rest, found := strings.Cut(text, ":")
	switch {
	case text == "":
		return fail("it is empty")
	case isPath(text):
		reason := "it is a path: write file:" + text + ", or, if that is the name, topic:" + text
		if strings.LastIndex(text, "/") == 0 && text != "/" {
			reason += " or posix:" + text
		}
		return fail(reason)
	case !found && isKey(text):
		return fail("it has no kind: write sysv:" + text + ", or, if that is the name, topic:" + text)
	case !found:
		kind, rest = topicKind, text
	}
	for _, k := range kinds {
		if k.name != kind {
			continue
		}
		target, err := k.parse(rest)
		if err != nil {
			return fail(err.Error())
		}
		return Address{kind, target}, nil
	}
	return fail(fmt.Sprintf("no kind is called %q; known are %s", kind, known()))
}

// HasKind reports whether a text begins with a kind.
func HasKind(text string) bool {
	kind, _, found := strings.Cut(text, ":")
	return found && slices.Contains(Kinds(), kind)
}

// isPath reports whether a text is the path of a file to everybody.
func isPath(text string) bool {
	return strings.HasPrefix(text, "/") || strings.HasPrefix(text, "./") || strings.HasPrefix(text, "../")
}

// isKey reports whether a text is a System V key to everybody.
func isKey(text string) bool {
	_, err := parseKey(text)
	return err == nil
}

// ParseAs parses an address of one kind, which may be left out, but not where what is left
// would be an address of another.
func ParseAs(kind, text string) (Address, error) {
	if strings.HasPrefix(text, kind+":") {
		return Parse(text)
	}
	for _, other := range Kinds() {
		if strings.HasPrefix(text, other+":") {
			return Address{}, &Error{text, fmt.Sprintf("%s: is another kind; if that is the name, write %s:%s", other, kind, text)}
		}
	}
	return Parse(kind + ":" + text)
}

// known lists the kinds for people: "sysv, sem or msg".
func known() string {
	names := Kinds()
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}
