package object

import (
	"fmt"
	"hash/fnv"
	"reflect"
)

// Fingerprint is a number, not 0, that two types have in common only if they are laid out
// the same, by the same names.
func Fingerprint(t reflect.Type) uint64 {
	h := fnv.New64a()
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		fmt.Fprintf(h, "%s %d %d;", t.Kind(), t.Size(), t.Align())
		switch t.Kind() {
		case reflect.Array:
			fmt.Fprintf(h, "[%d]", t.Len())
			walk(t.Elem())
		case reflect.Struct:
			fmt.Fprintf(h, "{")
			for i := range t.NumField() {
				f := t.Field(i)
				fmt.Fprintf(h, "%s %d:", f.Name, f.Offset)
				walk(f.Type)
			}
			fmt.Fprintf(h, "}")
		}
	}
	walk(t)
	return max(h.Sum64(), 1)
}
