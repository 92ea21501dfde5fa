package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

func newPagesCommand(a *app) *cobra.Command {
	var c pagesCommand
	cmd := &cobra.Command{
		Use:        "pages ADDRESS [flags]",
		SuggestFor: []string{"pagemap", "frames", "residency", "mincore"},
		Short:      "Show which pages of memory are there, and who shares them",
		Long: `Pages draws the pages of an object, one cell a page, or as many to a cell as it
takes to fit the screen: those of the object itself, whoever maps it, and beside
them what each process that maps it has in its page table. Where two processes
have the same frame it is one piece of memory, and it says so.

What it sees depends on who asks. Frame numbers, and what is dirty, referenced
or locked, are told to root only; what a process maps to its user and root. The
rest is shown, and what is not told is said.

Nothing is changed by looking: no page is touched that is not in memory, and a
System V segment, which can be opened only by attaching it, is looked at through a
process that has it attached, where root may. --attach attaches it for a moment, if
there is no other way, and so changes its times and its last process.

The address may be that of a mapping, map:PID/START, with any hexadecimal address
in it; of private memory, --pid adds processes that were forked from it. What a
process reads the kernel maps with pages around it: that it has a page does not
mean that it touched that one.

--svg writes the picture to FILE instead. --json prints, for the object and every
process, runs of pages in the same state with frames that follow each other.`,
		Example: `  shmkit pages sysv:0x5eed
  shmkit pages posix:/frames --pid 812 --pid 815
  shmkit pages file:index.db --offset 1M --length 256K
  shmkit pages map:812/7f12a0000000 --json
  shmkit pages topic:camera --svg pages.svg`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.Stater](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(); err != nil {
				return err
			}
			return c.run(cmd.Context(), a, args[0])
		},
	}
	cmd.Flags().IntSliceVar(&c.pids, "pid", nil, "show this process, and not all that map it (may be given again)")
	cmd.Flags().Lookup("pid").Usage = "show process `PID`, and not all that map it; may be given again"
	c.part.registerOffset(cmd)
	c.part.registerLength(cmd)
	cmd.Flags().StringVar(&c.svg, "svg", "", "write the picture to `FILE` as SVG, and nothing else")
	cmd.Flags().BoolVar(&c.attach, "attach", false, "attach a System V segment that cannot be looked at otherwise")
	jsonFlag(cmd, &c.asJSON, "print one JSON object, with runs of pages")
	return cmd
}

type pagesCommand struct {
	pids   []int
	part   rangeFlags
	svg    string
	attach bool
	asJSON bool
}

func (c *pagesCommand) check() error {
	if c.svg != "" && c.asJSON {
		return usagef("--svg and --json exclude each other")
	}
	for _, pid := range c.pids {
		if pid < 1 {
			return usagef("--pid %d: processes have numbers from 1 on", pid)
		}
	}
	if c.part.length.given && c.part.length.n == 0 {
		return usagef("--length 0: there is nothing to show")
	}
	return nil
}

func (c *pagesCommand) options() *inspect.PagesOptions {
	return &inspect.PagesOptions{Offset: c.part.offset.n, Length: c.part.length.n, PIDs: c.pids, Attach: c.attach}
}

func (c *pagesCommand) run(ctx context.Context, a *app, text string) (err error) {
	subject, err := c.find(ctx, a, text)
	if err != nil {
		return err
	}
	if c.asJSON {
		return subject.writeJSON(ctx, a.out, c.options())
	}
	o := c.options()
	o.PIDs = subject.few(o.PIDs)
	p, err := subject.open(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if c.svg != "" {
		return c.writeSVG(ctx, p, subject)
	}
	width, rows := 80, 16
	if a.screen != nil {
		var lines int
		width, lines = a.screen()
		rows = max(lines-14, 8)
	}
	end := uint64(p.First+p.Count) * uint64(p.PageSize)
	if addr, ok := firstAddress(p); ok && p.Object == nil {
		end = addr
	}
	l := layPages(width, rows, len(p.Views()), p.Count, end)
	picture, err := collectPages(ctx, p, subject.title(), l.room())
	if err != nil {
		return err
	}
	picture.more = subject.left
	return picture.draw(a.out, a, l)
}

func firstAddress(p *inspect.Pages) (uint64, bool) {
	if len(p.Processes) == 0 {
		return 0, false
	}
	return p.Processes[0].Address(p.First)
}

func (c *pagesCommand) writeSVG(ctx context.Context, p *inspect.Pages, subject *pageSubject) error {
	picture, err := collectPages(ctx, p, subject.title(), svgColumns*svgRows)
	if err != nil {
		return err
	}
	picture.more = subject.left
	f, err := createOutFile(c.svg, 0o666)
	if err != nil {
		return err
	}
	if err := picture.writeSVG(f); err != nil {
		return errors.Join(err, f.Abort())
	}
	return f.Commit()
}

// mostProcesses is how many processes are drawn if nobody says which.
const mostProcesses = 6

// A pageSubject is what pages are shown of: an object, or a mapping that is none.
type pageSubject struct {
	name   string
	object *inspect.Object // nil: a mapping
	pid    int
	start  uint64
	left   int // processes that were left out
}

// find finds what an address names.
func (c *pagesCommand) find(ctx context.Context, a *app, text string) (*pageSubject, error) {
	addr, err := a.parseAddress(text)
	if err != nil {
		return nil, err
	}
	if addr.Kind == inspect.KindSemaphores || addr.Kind == inspect.KindMessageQueue {
		return nil, usagef("%s has no pages: its kind is no memory that a process could map", addr)
	}
	s := &pageSubject{name: addr.String()}
	region, mapping := addr.Target.(address.Region)
	if mapping {
		s.pid, s.start = cmp.Or(region.PID, os.Getpid()), region.Start
	}
	snapshot, err := inspect.Take(ctx, nil)
	if err != nil {
		return nil, err
	}
	object, err := snapshot.Object(s.name)
	switch {
	case err == nil:
		s.object = &object
		s.object.Users = slices.DeleteFunc(object.Users, func(u inspect.User) bool { return u.Self })
		if mapping {
			err = s.narrow(c)
			return s, err
		}
	case !mapping && errors.Is(err, fs.ErrNotExist):
		// What is there may be no memory, such as a directory: its kind knows.
		if k, err := kind.Find[kind.Stater](a.kinds, addr, "pages", "pages"); err == nil {
			if _, err := k.Stat(addr); err != nil {
				return nil, err
			}
		}
		return nil, kind.Missing(addr, err)
	case !mapping:
		return nil, err
	}
	return s, nil
}

// narrow makes the part that is shown that of the mapping.
func (s *pageSubject) narrow(c *pagesCommand) error {
	for _, u := range s.object.Users {
		for _, r := range u.Ranges {
			if u.PID != s.pid || s.start < r.Start || s.start >= r.End {
				continue
			}
			// It may reach behind the end of a file, where there are no pages.
			size := min(r.Len(), s.object.Size-min(r.Offset, s.object.Size))
			off, n := uint64(c.part.offset.n), uint64(c.part.length.n)
			if off > size || n > size-off {
				return fmt.Errorf("%d bytes at offset %d are outside: %s has %d bytes", n, off, s.name, size)
			}
			if n == 0 {
				n = size - off
			}
			if n == 0 {
				return fmt.Errorf("there is nothing of %s in %s from offset %d on", oneLine(s.object.Address), s.name, off)
			}
			c.part.offset.n, c.part.length.n = int64(r.Offset+off), int64(n)
			return nil
		}
	}
	return fmt.Errorf("process %d maps nothing at %x", s.pid, s.start)
}

// few leaves out processes where there are many and nobody says which.
func (s *pageSubject) few(pids []int) []int {
	if pids != nil || s.object == nil {
		return pids
	}
	all := s.mappers()
	if len(all) <= mostProcesses {
		return nil
	}
	s.left = len(all) - mostProcesses
	if i := slices.Index(all, s.pid); i >= mostProcesses { // the one that was named stays
		all[mostProcesses-1] = s.pid
	}
	return all[:mostProcesses]
}

// mappers are the processes that map the object.
func (s *pageSubject) mappers() (pids []int) {
	for _, u := range s.object.Users {
		if len(u.Ranges) > 0 {
			pids = append(pids, u.PID)
		}
	}
	return pids
}

// open opens the pages.
func (s *pageSubject) open(o *inspect.PagesOptions) (*inspect.Pages, error) {
	if s.object == nil {
		return inspect.PagesOfMapping(s.pid, s.start, o)
	}
	return inspect.PagesOf(s.object, o)
}

// title is the first line of a picture.
func (s *pageSubject) title() string {
	if s.object == nil {
		return fmt.Sprintf("map:%d/%x", s.pid, s.start)
	}
	title := fmt.Sprintf("%s  %s", oneLine(s.object.Address), formatSize(s.object.Size))
	if s.pid != 0 && s.name != s.object.Address {
		title = fmt.Sprintf("%s, of %s", s.name, title)
	}
	return title
}
