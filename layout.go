package shmkit

import (
	"fmt"
	"reflect"
	"sync"
)

// layouts remembers what checkType found, by reflect.Type: the error text, ""
// for a good type. A type never changes, so neither does the answer.
var layouts sync.Map

// checkType reports why values of type t cannot stand in shared memory, nil if
// they can: they must have a size, hold no Go pointer of any kind, and nothing
// whose meaning ends at the process.
func checkType(t reflect.Type) error {
	v, ok := layouts.Load(t)
	if !ok {
		v, _ = layouts.LoadOrStore(t, badType(t, t.String()))
	}
	if s := v.(string); s != "" {
		return fmt.Errorf("%w: %s", ErrBadType, s)
	}
	return nil
}

func badType(t reflect.Type, path string) string {
	if t.Size() == 0 {
		return path + " has no size"
	}
	return badField(t, path)
}

// badField walks t; path names the place in the words of the caller's types.
func badField(t reflect.Type, path string) string {
	if t.PkgPath() == "sync" {
		return fmt.Sprintf("%s is a %s, which works inside one process only", path, t)
	}
	switch t.Kind() {
	case reflect.Bool,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr,
		reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return ""
	case reflect.Array:
		return badField(t.Elem(), path+"[]")
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if s := badField(f.Type, path+"."+f.Name); s != "" {
				return s
			}
		}
		return ""
	}
	return fmt.Sprintf("%s is a %s, which holds a Go pointer", path, t.Kind())
}
