package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/proc"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

func TestPagesAreDrawnSideBySide(t *testing.T) {
	if pageSize != 4096 {
		t.Skip("the picture is of pages of 4096 bytes")
	}
	f, object := twoProcesses(t)
	const want = `posix:/frames  64 KiB
16 pages of 4 KiB; a cell is one page

offset    object            812 writer        815 rea\nder
00000000  mm.mmm..........  SS.Aawz.........  SS.c..zg--------

object   .  a hole: nothing was stored, it reads as zeros
         m  in memory
process  .  not in its page table: it has not touched it yet, or not lately
         -  not mapped by it
         w  in swap
         g  guard page: a touch is a fault
         z  the page of zeros that all share until they store
         S  shared, and stored to
         a  alone: no other process has the frame
         A  alone, and stored to
         c  a private page of its own, such as a copy made by a store

object: 5 in memory, 11 hole
812 writer: 5 in its page table, 2 shared, 2 alone, 1 of zeros, 1 in swap, 3
  dirty, 1 referenced, mapped 1 to 2 times
815 rea\nder: 4 in its page table, 2 shared, 1 private, 1 of zeros, 1 guard, 3
  dirty, 1 referenced, mapped 1 to 2 times, 8 not mapped by it
page 0: frame 0x1a2b3 in 812 and 815: one piece of memory
page 1: frame 0x1a2b4 in 812 and 815: one piece of memory
page 3: frame 0x100 in 812, frame 0x101 in 815: not the same memory (private to
  815)
`
	if got := f.drawn(object, &app{}, 80, 16, inspect.PagesOptions{}); got != want {
		t.Errorf("\n%s", got)
	}
	// In colours the letters are the same.
	coloured := f.drawn(object, &app{colour: true}, 80, 16, inspect.PagesOptions{})
	if !strings.Contains(coloured, "\x1b[1;37;42mSS\x1b[0m\x1b[2m.\x1b[0m\x1b[1;37;46mA\x1b[0m") || stripColours(coloured) != want {
		t.Errorf("\n%s", coloured)
	}
}

func TestPagesOfManyProcessesStandOneBelowTheOther(t *testing.T) {
	if pageSize != 4096 {
		t.Skip("the picture is of pages of 4096 bytes")
	}
	f, object := twoProcesses(t)
	f.process(object, 816, "third", fileEntry|0x1a2b3)
	got := f.drawn(object, &app{}, 60, 16, inspect.PagesOptions{Offset: 0, Length: 4 * 4096})
	const want = `posix:/frames  64 KiB
4 pages of 4 KiB; a cell is one page

offset    object
00000000  mm.m

offset    812 writer
00000000  SS.A

offset    815 rea\nder
00000000  SS.c

offset    816 third
00000000  S---

`
	if !strings.HasPrefix(got, want) || !strings.Contains(got, "page 0: frame 0x1a2b3 in 812, 815 and 816: one piece of\n  memory\n") {
		t.Errorf("\n%s", got)
	}
	got = f.drawn(object, &app{}, 60, 16, inspect.PagesOptions{PIDs: []int{816}})
	if !strings.Contains(got, "\noffset    object            816 third\n") || strings.Contains(got, "815") {
		t.Errorf("\n%s", got)
	}
}

// A process that maps a page twice has it in two views, and is one process.
func TestAPageThatAProcessMapsTwice(t *testing.T) {
	f := newProcFixture(t)
	object := f.file(32, 0)
	f.frame(0x100, 3, proc.KPageDirty)
	entries := make([]proc.PagemapEntry, 32)
	entries[0] = fileEntry | 0x100
	f.process(object, 9, "command-of-15", entries...)
	twice := object.Users[0].Ranges[0]
	twice.Start, twice.End = twice.Start+twice.Len(), twice.End+twice.Len()
	object.Users[0].Ranges = append(object.Users[0].Ranges, twice)
	f.words("9/pagemap", twice.Start/pageSize, uint64(fileEntry|0x100))
	f.process(object, 10, "other", entries...)
	got := f.drawn(object, &app{}, 144, 16, inspect.PagesOptions{})
	for _, want := range []string{
		"  9 command-of-15                   9 command-of-15 (2)               10 other\n",
		"\npage 0: frame 0x100 in 9 (2 times) and 10: one piece of memory\n",
		"\n9 command-of-15 (2): 1 in its page table,",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	got = f.drawn(object, &app{}, 80, 16, inspect.PagesOptions{Length: int64(pageSize), PIDs: []int{9}})
	if want := "object            9 command-of-15   9 command-o… (2)\n"; !strings.Contains(got, want) {
		t.Errorf("%q is not in\n%s", want, got)
	}
}

func TestWhatHasNoPagesSaysSo(t *testing.T) {
	f := newProcFixture(t)
	object := f.file(0)
	if got, want := f.drawn(object, &app{}, 80, 16, inspect.PagesOptions{}), "posix:/frames  0 bytes\nit has no bytes there, and so no pages\n"; got != want {
		t.Errorf("%q", got)
	}
}

// JSON that ends early is told from one that is whole.
func TestPagesAsJSONThatAreInterrupted(t *testing.T) {
	f, object := twoProcesses(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &pageSubject{name: object.Address, object: object}
	if err := s.writeJSON(ctx, io.Discard, &inspect.PagesOptions{Proc: f.root}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A cell of many pages shows what is there of them, and one page among a million is seen.
func TestCellsOfManyPages(t *testing.T) {
	f := newProcFixture(t)
	const pages = 1 << 20
	object := f.file(pages, 0, pages/2+5)
	f.process(object, 9, "big", aloneEntry|1, fileEntry|2, fileEntry|3)
	object.Users[0].Ranges[0].End = object.Users[0].Ranges[0].Start + pages*pageSize
	f.words("9/pagemap", object.Users[0].Ranges[0].Start/pageSize+pages-1, uint64(aloneEntry|1))
	got := f.drawn(object, &app{}, 80, 16, inspect.PagesOptions{})
	per := pages / (32 * 16)
	for _, want := range []string{
		fmt.Sprintf("%d pages of %s; a cell is %d pages (%s)", pages, formatSize(pageSize), per, formatSize(uint64(per)*pageSize)),
		fmt.Sprintf("\n%0*x  m...............................  s...............................\n", max(8, len(fmt.Sprintf("%x", pages*pageSize))), 0),
		"  m...............................  ................................\n",
		"  ................................  ...............................a\n",
		"object: 2 in memory, 1048574 hole\n",
		"9 big: 4 in its page table, 2 shared, 2 alone\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestWhatIsNotToldIsSaid(t *testing.T) {
	f := newProcFixture(t)
	object := f.file(2, 0)
	f.process(object, 9, "mine", fileEntry, 0)
	f.process(object, 10, "theirs", fileEntry, 0)
	object.Hidden = 3
	for _, name := range []string{"10/pagemap", "kpageflags"} {
		if err := os.Remove(filepath.Join(f.root, name)); err != nil {
			t.Fatal(err)
		}
	}
	got := strings.Join(strings.Fields(f.drawn(object, &app{}, 80, 16, inspect.PagesOptions{})), " ")
	for _, want := range []string{
		"9 mine: not told: frame numbers are told to root only (CAP_SYS_ADMIN)",
		"9 mine: not told: dirty, referenced,",
		"10 theirs: not told: the page table of process 10: no such file",
		"3 processes could not be looked at, and may map it too",
		" s. ?? ",
		"10 theirs: not told 9 mine:",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
}

func TestThePictureIsWellFormed(t *testing.T) {
	f, object := twoProcesses(t)
	object.Address = `posix:/<&"\x1b` + "\x1b\xff"
	p, err := inspect.PagesOf(object, &inspect.PagesOptions{Proc: f.root})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c, err := collectPages(t.Context(), p, (&pageSubject{object: object}).title(), svgColumns*svgRows)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := c.writeSVG(&b); err != nil {
		t.Fatal(err)
	}
	rects, texts := 0, ""
	d := xml.NewDecoder(&b)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "rect" {
				rects++
			}
			for _, a := range token.Attr {
				if a.Name.Local == "href" || a.Name.Local == "src" {
					t.Errorf("it needs %s", a.Value)
				}
			}
		case xml.CharData:
			texts += string(token)
		}
	}
	if rects < 3*16 {
		t.Errorf("%d cells", rects)
	}
	for _, want := range []string{`posix:/<&"`, "page 0: frame 0x1a2b3 in 812 and 815: one piece of memory", "prefers-color-scheme: dark", "815 rea"} {
		if !strings.Contains(texts, want) {
			t.Errorf("%q is not in it", want)
		}
	}
	for _, look := range pageLooks {
		if !strings.Contains(svgStyle, "."+look.name+" ") && !strings.Contains(svgStyle, "."+look.name+",") {
			t.Errorf("%s has no colour", look.name)
		}
	}
}

// jsonPages is what pages --json printed.
type jsonPages struct {
	pagesJSON
	Object    *jsonView
	Processes []jsonView
}

type jsonView struct {
	PID      int `json:"pid"`
	Command  string
	Mappings []pageRangeJSON
	Runs     []pageRunJSON
	Unknown  []string
}

func parsePagesJSON(t testing.TB, text string) (j jsonPages) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&j); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return j
}

func TestPagesAsJSON(t *testing.T) {
	f, object := twoProcesses(t)
	var b bytes.Buffer
	s := &pageSubject{name: "posix:/frames", object: object}
	if err := s.writeJSON(t.Context(), &b, &inspect.PagesOptions{Proc: f.root}); err != nil {
		t.Fatal(err)
	}
	j := parsePagesJSON(t, b.String())
	if j.Address != "posix:/frames" || j.Kind != "posix" || j.Pages != 16 || j.Object == nil || len(j.Processes) != 2 {
		t.Fatalf("%+v", j)
	}
	total := int64(0)
	for _, r := range j.Processes[1].Runs {
		total += r.Pages
	}
	r := j.Processes[0].Runs
	if total != 16 || r[0].Frame != "0x1a2b3" || r[0].Mapped != 2 || strings.Join(r[0].State, " ") != "present dirty referenced swap-backed" ||
		r[1].Offset != int64(pageSize) || j.Processes[1].Command != "rea\nder" || j.Processes[0].Mappings[0].Protection != "rw-s" {
		t.Errorf("%+v", j)
	}
}

// The same frame in two processes, through the whole command.
func TestPagesProvesThatTwoProcessesShareAFrame(t *testing.T) {
	testenv.RequireRoot(t)
	name := testenv.Name(t)
	mustRunKinds(t, "create", "posix:/"+name, "--size", fmt.Sprint(4*pageSize))
	a, b := startPageHolder(t, "/dev/shm/"+name), startPageHolder(t, "/dev/shm/"+name)
	// The kernel may just move the page to another frame.
	var out string
	testenv.Eventually(t, "two processes have one frame", func() bool {
		out = mustRunKinds(t, "pages", "posix:/"+name)
		return strings.Contains(out, "one piece of memory")
	})
	for _, p := range []*pageHolder{a, b} {
		if !strings.Contains(out, fmt.Sprintf("%d ", p.Pid())) {
			t.Errorf("process %d is not in\n%s", p.Pid(), out)
		}
	}
	if !strings.Contains(out, "page 0: frame 0x") || !strings.Contains(out, fmt.Sprintf(" in %d and %d: one piece of memory\n", min(a.Pid(), b.Pid()), max(a.Pid(), b.Pid()))) {
		t.Errorf("\n%s", out)
	}
	j := parsePagesJSON(t, mustRunKinds(t, "pages", "posix:/"+name, "--pid", fmt.Sprint(b.Pid()), "--json"))
	if len(j.Processes) != 1 || j.Processes[0].PID != b.Pid() || j.Processes[0].Runs[0].Address != "0x"+b.addr {
		t.Errorf("%+v", j)
	}
	// The mapping, and the object that it is of.
	if err := os.Truncate("/dev/shm/"+name, int64(8*pageSize)); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the mapping has them as well", func() bool {
		out = mustRunKinds(t, "pages", fmt.Sprintf("map:%d/%s", a.Pid(), a.addr))
		return strings.Contains(out, "one piece of memory")
	})
	if !strings.Contains(out, ", of posix:/"+name) || !strings.Contains(out, "\n4 pages of ") {
		t.Errorf("\n%s", out)
	}
	// Private memory is no object.
	start := privateMemory(t, a.Pid())
	j = parsePagesJSON(t, mustRunKinds(t, "pages", fmt.Sprintf("map:%d/%x", a.Pid(), start), "--json"))
	if j.Kind != "map" || j.Object != nil || len(j.Processes) != 1 || j.Processes[0].Runs[0].Address != fmt.Sprintf("%#x", start) {
		t.Errorf("%+v", j)
	}
	out = mustRunKinds(t, "pages", fmt.Sprintf("map:%d/%x", a.Pid(), start))
	if !strings.HasPrefix(out, fmt.Sprintf("map:%d/%x\n", a.Pid(), start)) || !strings.Contains(out, fmt.Sprintf("\n%08x  ", start)) {
		t.Errorf("\n%s", out)
	}
	// Who may not look is told so, and sees the object itself if he may open it.
	if err := os.Chmod("/dev/shm/"+name, 0o666); err != nil {
		t.Fatal(err)
	}
	r := asNobody(t, "pages", "posix:/"+name)
	if r.code != exitDone || !strings.Contains(r.out, "could not be looked at") || strings.Contains(r.out, "frame 0x") {
		t.Errorf("%+v", r)
	}
	refused(t, runKinds(t, "pages", "posix:/"+name, "--pid", fmt.Sprint(os.Getpid())), exitFailed,
		fmt.Sprintf("process %d does not map", os.Getpid()), fmt.Sprint(a.Pid()))
}

// privateMemory is where a process has anonymous memory of its own.
func privateMemory(t testing.TB, pid int) uint64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		e, err := sys.ParseMapsEntry(strings.TrimSuffix(line, "\n"))
		if err == nil && e.Perms == "rw-p" && e.Inode == 0 {
			return uint64(e.Start)
		}
	}
	t.Fatal("it has none")
	return 0
}

func mustRunKinds(t testing.TB, args ...string) string {
	t.Helper()
	r := runKinds(t, args...)
	if r.code != exitDone || r.err != "" {
		t.Fatalf("shmkit %s: %+v", strings.Join(args, " "), r)
	}
	return r.out
}
