package explain

import (
	"fmt"
	"strings"
)

// A Report is what came of an experiment.
type Report struct {
	Experiment Experiment `json:"experiment"`
	System     System     `json:"system"`
	Steps      []*Step    `json:"steps"`
	// Answer is what the experiment shows, in two or three sentences. Empty: it was not
	// finished.
	Answer string `json:"answer"`
	// Agree: every step does.
	Agree bool `json:"agree"`
}

// A System is where an experiment ran.
type System struct {
	Kernel   string `json:"kernel"` // release
	Arch     string `json:"arch"`
	PageSize int    `json:"page_size"`
	UID      int    `json:"uid"`
	// Frames: this user may see the numbers of frames.
	Frames bool `json:"frames"`
}

// A Step is one thing that a process did, and what the kernel showed of it.
type Step struct {
	Number  int    `json:"number"`
	Title   string `json:"title"`
	Process string `json:"process"` // its name in the experiment
	PID     int    `json:"pid"`
	// PIDs are those of all its processes, if there are several: "A and B". PID is the
	// first of them.
	PIDs  []int  `json:"pids,omitempty"`
	Call  string `json:"call"` // as a C program would write it
	Facts []Fact `json:"facts"`
	Why   string `json:"why"`
	Agree bool   `json:"agree"`
	// Scene is what the page tables were afterwards; nil if the step shows none.
	Scene *Scene `json:"scene,omitempty"`
	// Charts are numbers to be looked at side by side, and Lanes who did what when.
	Charts []Chart `json:"charts,omitempty"`
	Lanes  []Lane  `json:"lanes,omitempty"`

	draw bool // also if the scene is as it was before
}

// Who says who does the step: "A, pid 7", "A and B, pids 7 and 8".
func (s *Step) Who() string {
	switch {
	case len(s.PIDs) > 1:
		var pids []string
		for _, pid := range s.PIDs {
			pids = append(pids, itoa(pid))
		}
		last := len(pids) - 1
		return fmt.Sprintf("%s, pids %s and %s", s.Process, strings.Join(pids[:last], ", "), pids[last])
	case s.PID != 0:
		return fmt.Sprintf("%s, pid %d", s.Process, s.PID)
	}
	return s.Process
}

// Where a prediction comes from.
const (
	// ByModel: the model was asked to do the same.
	ByModel = "model"
	// ByStatement: it was written down before the step was done.
	ByStatement = "statement"
)

// A Fact is one thing that was predicted, and what the kernel showed of it.
type Fact struct {
	What      string `json:"what"`      // "result", "minor faults", "areas of A"
	Predicted string `json:"predicted"` // empty: nothing was, and the fact is only shown
	By        string `json:"by"`        // ByModel, ByStatement; empty: nothing was predicted
	Shown     string `json:"shown"`     // perhaps several lines
	From      string `json:"from"`      // file or call that shows it
	// Unseen says why it could not be seen: without root, say. It disagrees with nothing.
	Unseen string `json:"unseen,omitempty"`
	Agree  bool   `json:"agree"`
}

// A Scene is the memory of all processes at one moment, as /proc shows it.
type Scene struct {
	Processes []ProcessScene `json:"processes"`
}

// A ProcessScene is the memory of one process, as far as the experiment uses it.
type ProcessScene struct {
	Name  string `json:"name"`
	PID   int    `json:"pid"`
	Areas []Area `json:"areas"`
}

// An Area is one line of /proc/PID/maps.
type Area struct {
	Start  uint64 `json:"start"`
	End    uint64 `json:"end"`
	Perms  string `json:"perms"`  // "rw-s"
	Offset uint64 `json:"offset"` // in the object, bytes
	Object string `json:"object"` // name of the object; empty: anonymous memory
	Pages  []Page `json:"pages"`
}

// A Page is one word of /proc/PID/pagemap.
type Page struct {
	State string `json:"state"` // one of the States
	Frame uint64 `json:"frame"` // 0: none, or not shown to this user
	// Exclusive: no other page table leads to the same frame.
	Exclusive bool `json:"exclusive"`
}

// States of a page.
const (
	Absent  = "absent"  // never touched, or taken away again: no memory
	Cached  = "cached"  // the page of the page cache itself
	Private = "private" // memory of this process alone
	Zero    = "zero"    // the page of zeros that all processes share
	Guard   = "guard"   // not to be touched
	Swapped = "swapped" // on the swap device
)

// settle works out whether step and report agree.
func (s *Step) settle() {
	s.Agree = true
	for _, f := range s.Facts {
		s.Agree = s.Agree && f.Agree
	}
}

func (r *Report) settle() {
	r.Agree = r.Answer != "" && len(r.Steps) > 0
	for _, s := range r.Steps {
		r.Agree = r.Agree && s.Agree
	}
}
