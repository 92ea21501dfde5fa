package explain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/internal/live"
	"github.com/shmkit/shmkit/internal/model"
)

// What is shown of areas, page tables and segments. The model's text and the kernel's are
// compared in the words of the model; shown are lines as /proc has them.

func factAreas(proc string) string { return "areas of " + proc }
func factTable(proc string) string { return "page table of " + proc }

const factSegments = "segments"

// A sight is what the kernel shows of all processes and segments, in the words of the
// model.
type sight struct {
	procs    map[string]memory
	segments string
	key      int32 // that scripts call 1
}

// A memory is the list of mappings and the page table of a process.
type memory struct{ maps, table string }

// foretold is what the model says.
func (st *stage) foretold() sight {
	w := sight{map[string]memory{}, byName(st.world.Segments()), st.cast.Key}
	for _, c := range st.procs {
		w.procs[c.name] = memory{st.world.Maps(c.name), st.world.Table(c.name)}
	}
	return w
}

// seen is what the kernel shows.
func (st *stage) seen() (sight, views) {
	w, all := sight{map[string]memory{}, "", st.cast.Key}, views{}
	var err error
	for _, c := range st.procs {
		if st.dead[c.name] {
			st.lab.check(goneFromProc(c.Pid()))
			w.procs[c.name] = memory{"", strings.Repeat(string(model.Absent), model.ArenaPages)}
			continue
		}
		var a live.Answer
		a, all[c.name], err = st.cast.Watch(model.Op{Proc: c.name, Call: "table"})
		st.lab.check(err)
		w.procs[c.name] = memory{a.Maps, a.Table}
	}
	own, err := st.cast.OwnSegments()
	st.lab.check(err)
	w.segments = byName(own)
	return w, all
}

// goneFromProc makes sure that /proc has nothing of a process any more.
func goneFromProc(pid int) error {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	switch {
	case err == nil:
		return fmt.Errorf("process %d was waited for, and is in /proc", pid)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// file names what was read of a process in /proc, or that there is no such file any more.
func (st *stage) file(c *child, name string) string {
	path := fmt.Sprintf("/proc/%d/%s", c.Pid(), name)
	if st.dead[c.name] {
		path += ": no such file"
	}
	return path
}

// byName orders segments by what scripts call them. The kernel's order is that of its
// indexes, which depends on the segments that others have.
func byName(segments string) string {
	lines := strings.Split(segments, "; ")
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}

// expectations are the predictions that are worth telling: of what changes.
func (st *stage) expectations(w sight, quiet bool) []expectation {
	var all []expectation
	add := func(what, text string) {
		if st.told[what] != text {
			all = append(all, expect(what, is, text).byModel())
			st.told[what] = text
		}
	}
	for _, c := range st.procs {
		m := w.procs[c.name]
		if quiet {
			continue
		}
		add(factAreas(c.name), expandMaps(m.maps))
		if !strings.ContainsRune(m.table, rune(model.OnDisk)) { // else it was not predicted
			add(factTable(c.name), shortTable(m.maps, m.table))
		}
	}
	add(factSegments, w.segmentsText())
	return all
}

// keyPattern finds keys as scripts know them. 0 is none.
var keyPattern = regexp.MustCompile(`key=[1-9][0-9]*`)

// segmentsText has the segments as /proc/sysvipc/shm does, in the words of the model.
func (w sight) segmentsText() string {
	if w.segments == "" {
		return "none"
	}
	text := strings.ReplaceAll(w.segments, "; ", "\n")
	return keyPattern.ReplaceAllStringFunc(text, func(key string) string {
		n := pageNumber(strings.TrimPrefix(key, "key="))
		return fmt.Sprintf("key=%#x", w.key+int32(n)-1)
	})
}

// showSight shows areas, page tables and segments: if they were predicted, or if they are
// not as the model has them.
func (st *stage) showSight(s *step, want, got sight, all views) {
	show := func(what, file, text, predicted string, agree bool) {
		f := s.find(what)
		if f == nil {
			if agree {
				return
			}
			f = s.fact(what)
			f.Predicted, f.By = predicted, ByModel
		}
		f.Shown, f.From, f.Agree = text, file, agree
	}
	for _, c := range st.procs {
		w, g := want.procs[c.name], got.procs[c.name]
		show(factAreas(c.name), st.file(c, "maps"), rawMaps(all[c.name]), expandMaps(w.maps), w.maps == g.maps)
		show(factTable(c.name), st.file(c, "pagemap"), shortTable(g.maps, g.table), shortTable(w.maps, w.table), w.table == g.table)
	}
	show(factSegments, "/proc/sysvipc/shm", got.segmentsText(), want.segmentsText(), want.segments == got.segments)
}

// find is the fact of that name, nil if there is none.
func (s *step) find(what string) *Fact {
	for i := range s.Facts {
		if s.Facts[i].What == what {
			return &s.Facts[i]
		}
	}
	return nil
}

// none is what is shown of no areas at all.
const none = "none"

// expandMaps writes the areas of the model as /proc/PID/maps has them: without device,
// inode, and path, which the model doesn't know.
func expandMaps(text string) string {
	if text == "" {
		return none
	}
	var lines []string
	for _, area := range strings.Split(text, "; ") {
		// "0-2 rw-s A1+1"
		pages, rest, _ := strings.Cut(area, " ")
		first, last, _ := strings.Cut(pages, "-")
		perms, source, _ := strings.Cut(rest, " ")
		name, offset, _ := strings.Cut(source, "+")
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%x-%x %s %08x %s", address(first), address(last), perms, pageNumber(offset)*model.PageSize, name)))
	}
	return strings.Join(lines, "\n")
}

func address(page string) uint64 { return live.Address(pageNumber(page)) }

func pageNumber(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// rawMaps are the lines of the kernel, with single blanks.
func rawMaps(v live.View) string {
	if len(v.Maps) == 0 {
		return none
	}
	var lines []string
	for _, line := range v.Maps {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

// shortTable is the page table of the areas, a line each: "2000000000: f-".
func shortTable(maps, table string) string {
	if maps == "" {
		return none
	}
	var lines []string
	for _, area := range strings.Split(maps, "; ") {
		pages, _, _ := strings.Cut(area, " ")
		first, last, _ := strings.Cut(pages, "-")
		lines = append(lines, fmt.Sprintf("%x: %s", address(first), table[pageNumber(first):pageNumber(last)]))
	}
	return strings.Join(lines, "\n")
}

// scene is all that was seen, for drawings.
func (st *stage) scene(all views) *Scene {
	sc := &Scene{}
	for _, c := range st.procs {
		p := ProcessScene{Name: c.name, PID: c.Pid(), Areas: []Area{}}
		for _, line := range all[c.name].Maps {
			p.Areas = append(p.Areas, st.area(line, all[c.name]))
		}
		sc.Processes = append(sc.Processes, p)
	}
	return sc
}

var stateNames = map[byte]string{
	model.Absent: Absent, model.Direct: Cached, model.Copied: Private, model.Zero: Zero, model.Guard: Guard, 's': Swapped,
}

// area reads a line of /proc/PID/maps.
func (st *stage) area(line string, v live.View) Area {
	fields := strings.Fields(line)
	var a Area
	var inode uint64
	_, err := fmt.Sscanf(line, "%x-%x %s %x %s %d", &a.Start, &a.End, &a.Perms, &a.Offset, new(string), &inode)
	st.lab.check(err)
	if len(fields) > 5 {
		a.Object = strings.TrimSuffix(strings.Join(fields[5:], " "), " (deleted)")
		a.Object = strings.TrimPrefix(a.Object, "/memfd:")
		if strings.HasPrefix(a.Object, "/SYSV") {
			a.Object = fmt.Sprintf("segment %d", inode)
		}
	}
	for addr := a.Start; addr < a.End; addr += model.PageSize {
		e := v.Entry(int64(addr-live.Address(0)) / model.PageSize)
		a.Pages = append(a.Pages, Page{State: stateNames[e.State()], Frame: e.Frame(), Exclusive: e.Exclusive()})
	}
	return a
}
