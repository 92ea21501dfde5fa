package explain

import (
	"fmt"
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

// expectations are the predictions that are worth telling: of what changes.
func (w sight) expectations(proc string, told map[string]string, quiet bool) []expectation {
	var all []expectation
	add := func(what, text string) { all = append(all, expect(what, is, text).byModel()) }
	if !quiet && told[proc] != w.maps+w.table {
		add(factAreas(proc), expandMaps(w.maps))
		add(factTable(proc), shortTable(w.maps, w.table))
	}
	if told["segments"] != w.segments {
		add(factSegments, w.segmentsText())
	}
	return all
}

func (w sight) segmentsText() string {
	if w.segments == "" {
		return "none"
	}
	return strings.ReplaceAll(w.segments, "; ", "\n")
}

// showSight shows areas, page table and segments: if they were predicted, or if they are
// not as the model has them.
func (st *stage) showSight(s *step, proc string, want, got sight, v live.View) {
	pid := st.pid(proc)
	shown := func(what, file, text, predicted string, agree bool) {
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
	shown(factAreas(proc), fmt.Sprintf("/proc/%d/maps", pid), rawMaps(v), expandMaps(want.maps), want.maps == got.maps)
	shown(factTable(proc), fmt.Sprintf("/proc/%d/pagemap", pid), shortTable(got.maps, got.table), shortTable(want.maps, want.table), want.table == got.table)
	shown(factSegments, "/proc/sysvipc/shm", got.segmentsText(), want.segmentsText(), want.segments == got.segments)
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
