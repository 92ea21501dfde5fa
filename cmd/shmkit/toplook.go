package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

// tellAll returns what stat prints of an object, and who uses it.
func (a *app) tellAll(_ context.Context, s *inspect.Snapshot, text string) ([]string, error) {
	var b bytes.Buffer
	told := &app{out: &b, kinds: a.kinds}
	if addr, err := address.Parse(text); err == nil {
		if can, err := kind.Find[kind.Stater](a.kinds, addr, "top", "state to show"); err == nil {
			o, err := can.Stat(addr)
			if err != nil {
				return nil, err
			}
			if err := told.printObject(o); err != nil {
				return nil, err
			}
			_, _ = b.ReadString('\n') // its address, which stands above already
		}
	}
	o, err := s.Object(text)
	if err != nil {
		return nil, err
	}
	if err := told.printUsers(&o); err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n"), nil
}

// printUsers prints who uses an object.
func (a *app) printUsers(o *inspect.Object) error {
	if o.UseWhy != "" {
		if _, err := fmt.Fprintf(a.out, "%s: %s\n", o.Use, oneLine(o.UseWhy)); err != nil {
			return err
		}
	}
	if len(o.Users) == 0 {
		return nil
	}
	t := &table{columns: []kind.Column{{Heading: "PID", Right: true}, {Heading: "MAPPED", Right: true}, {Heading: "RESIDENT", Right: true},
		{Heading: "HOW"}, {Heading: "FDS"}, {Heading: "COMMAND"}}}
	for _, u := range o.Users {
		resident := "-"
		if u.Resident.Unknown == "" {
			resident = kind.Bytes(u.Resident.Bytes).Short()
		}
		var how []string
		for _, is := range []struct {
			is   bool
			word string
		}{{u.Shared, "shared"}, {u.Writable, "writable"}, {u.Executable, "executable"}, {u.OtherNamespace, "elsewhere"}, {u.Self, "self"}} {
			if is.is {
				how = append(how, is.word)
			}
		}
		t.rows = append(t.rows, []string{fmt.Sprint(u.PID), kind.Bytes(u.Mapped).Short(), resident, strings.Join(how, ","),
			strings.Trim(fmt.Sprint(u.Descriptors), "[]"), u.Command})
	}
	return t.write(a.out, a, "  ")
}
