package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

// Bounds of the picture of pages in a look of top, which is drawn again and again.
const (
	lookedBytes = 16 << 20
	lookedRows  = 4
)

// tellAll returns what stat prints of an object, but for its address, and a small picture of its
// pages.
func (a *app) tellAll(ctx context.Context, s *inspect.Snapshot, text string) ([]string, error) {
	addr, err := address.Parse(text)
	if err != nil {
		return nil, err
	}
	can, err := kind.Find[kind.Stater](a.kinds, addr, "top", "state to show")
	if err != nil {
		return nil, err
	}
	o, seen, err := (&watch{a: a, ctx: ctx, snapshot: s}).stat(addr, can, &kind.Names{})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	told := &app{out: &b}
	if err := told.printObject(o); err != nil {
		return nil, err
	}
	_, _ = b.ReadString('\n') // its address
	if seen != nil && seen.ID != (inspect.ID{}) && seen.Size > 0 {
		fmt.Fprintln(&b)
		if err := told.drawSmall(ctx, text, seen); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			fmt.Fprintf(&b, "no picture of its pages: %s\n", oneLine(plain(err)))
		}
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n"), nil
}

// drawSmall draws the first pages of an object.
func (a *app) drawSmall(ctx context.Context, name string, o *inspect.Object) (err error) {
	o.Users = slices.DeleteFunc(o.Users, func(u inspect.User) bool { return u.Self })
	subject := &pageSubject{name: name, object: o}
	p, err := subject.open(&inspect.PagesOptions{Length: int64(min(o.Size, lookedBytes)), PIDs: subject.few(nil)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	l := layPages(80, lookedRows, len(p.Views()), p.Count, uint64(p.First+p.Count)*uint64(p.PageSize))
	picture, err := collectPages(ctx, p, subject.title(), l.room())
	if err != nil {
		return err
	}
	picture.more = subject.left
	return picture.draw(a.out, a, l)
}
