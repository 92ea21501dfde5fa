package address

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Key is a System V key other than 0, which is Private.
type Key uint32

// ID is the identifier of a System V object, 0 to 2^31-1.
type ID int

// FromPath is the System V key that ftok(3) makes of an existing file and a byte.
type FromPath struct {
	Path    string // not empty
	Project byte
}

// Private is a System V object without a key. It names none that exists.
type Private struct{}

func (k Key) String() string      { return fmt.Sprintf("%#x", uint32(k)) }
func (i ID) String() string       { return "id=" + strconv.Itoa(int(i)) }
func (f FromPath) String() string { return "ftok=" + f.Path + ":" + string([]byte{f.Project}) }
func (Private) String() string    { return "private" }

func (Key) target()      {}
func (ID) target()       {}
func (FromPath) target() {}
func (Private) target()  {}

// sysvForms is what may stand behind sysv:, sem: and msg:, for messages.
const sysvForms = "a key such as 0x5eed, id=N, ftok=PATH:C or private"

func parseSysV(rest string) (Target, error) {
	if rest == "" {
		return nil, errors.New("nothing behind the colon: give " + sysvForms)
	}
	if rest == "private" {
		return Private{}, nil
	}
	if text, ok := strings.CutPrefix(rest, "id="); ok {
		return parseID(text)
	}
	if text, ok := strings.CutPrefix(rest, "ftok="); ok {
		return parseFromPath(text)
	}
	return parseKey(rest)
}

func parseID(text string) (Target, error) {
	id, err := parseSmall(text, "identifier")
	if err != nil {
		return nil, err
	}
	return ID(id), nil
}

// parseFromPath splits at the last colon. The byte behind it may itself be a
// colon.
func parseFromPath(text string) (Target, error) {
	if n := len(text); n >= 3 && text[n-2] == ':' {
		return FromPath{text[:n-2], text[n-1]}, nil
	}
	path, project := text, ""
	if i := strings.LastIndex(text, ":"); i >= 0 {
		path, project = text[:i], text[i+1:]
	}
	switch {
	case path == "":
		return nil, errors.New("ftok= has no path: write ftok=PATH:C")
	case project == "":
		return nil, errors.New("ftok= has no project byte: write ftok=PATH:C")
	}
	return nil, fmt.Errorf("the project byte of ftok=PATH:C is one byte, not %q", project)
}

// parseKey takes what ipcs, ipcrm and /proc/sysvipc show and take: hexadecimal
// with 0x, decimal, and negative decimal, which is how /proc shows keys above
// 2^31-1. A leading zero would be octal to ipcrm and decimal to people, so it is
// neither here.
func parseKey(text string) (Target, error) {
	number, negative := strings.CutPrefix(text, "-")
	base, allowed, what := 10, "0123456789", "decimal"
	if len(number) >= 2 && (number[:2] == "0x" || number[:2] == "0X") {
		number, base, allowed, what = number[2:], 16, "0123456789abcdefABCDEF", "hexadecimal"
	}
	switch {
	case !digits(number, allowed) && base == 16:
		return nil, fmt.Errorf("key %q is no hexadecimal number", text)
	case !digits(number, allowed):
		return nil, fmt.Errorf("%q is not %s", text, sysvForms)
	case base == 10 && len(number) > 1 && number[0] == '0':
		return nil, fmt.Errorf("key %q begins with 0, which ipcrm takes as octal: write it %s without, or hexadecimal with 0x", text, what)
	}
	n, err := strconv.ParseUint(number, base, 64)
	switch {
	case negative && base == 16:
		return nil, fmt.Errorf("key %q is a negative hexadecimal number", text)
	case negative && (err != nil || n > -math.MinInt32):
		return nil, fmt.Errorf("key %s is below %d: keys have 32 bits", text, math.MinInt32)
	case err != nil || n > math.MaxUint32:
		return nil, fmt.Errorf("key %s is above 0x%x: keys have 32 bits", text, uint32(math.MaxUint32))
	case n == 0:
		return Private{}, nil
	case negative:
		return Key(-uint32(n)), nil
	}
	return Key(n), nil
}

// digits reports whether text is one or more of the allowed characters. Package
// strconv alone would take signs and underscores as well.
func digits(text, allowed string) bool {
	return text != "" && strings.Trim(text, allowed) == ""
}
