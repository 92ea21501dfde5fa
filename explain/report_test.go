package explain

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/report.shape anew")

// shape lists the keys of a JSON value with the types of what they have.
func shape(path string, v any, found map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			shape(path+"."+key, inner, found)
		}
	case []any:
		found[path+" list"] = true
		for _, inner := range v {
			shape(path+"[]", inner, found)
		}
	default:
		found[fmt.Sprintf("%s %T", path, v)] = true
	}
}

// Keys of the JSON form are there to stay.
func TestReportsKeepTheirShape(t *testing.T) {
	e := lazy()
	run := e.run
	e.run = func(x *lab) {
		run(x)
		x.step(plan{who: "test", expect: []expectation{expect("something", is, 1)}}, func(s *step) { s.unseen("something", "it is dark", "nowhere") })
	}
	r, err := Run(t.Context(), e, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	shape("", v, found)
	got := strings.Join(slices.Sorted(maps.Keys(found)), "\n") + "\n"
	const file = "testdata/report.shape"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the shape is\n%s\nit was\n%s", got, want)
	}
}

func TestStepsSayWhoDoesThem(t *testing.T) {
	for want, s := range map[string]Step{
		"the machine":                 {Process: "the machine"},
		"A, pid 7":                    {Process: "A", PID: 7},
		"A and B, pids 7 and 8":       {Process: "A and B", PID: 7, PIDs: []int{7, 8}},
		"A, B and C, pids 7, 8 and 9": {Process: "A, B and C", PID: 7, PIDs: []int{7, 8, 9}},
	} {
		if got := s.Who(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// page runs experiments and returns their page.
func page(t *testing.T, reports ...*Report) string {
	t.Helper()
	var b strings.Builder
	if err := WriteHTML(&b, reports...); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// pageIsSound looks at a page of all experiments. It is XML as well, so what is open gets
// closed, and everything that a browser would fetch is missing.
func pageIsSound(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	ids, tags := map[string]bool{}, map[string]int{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		tags[e.Name.Local]++
		for _, a := range e.Attr {
			if a.Name.Local == "id" {
				if ids[a.Value] {
					t.Errorf("two things have the id %q", a.Value)
				}
				ids[a.Value] = true
			}
			if a.Name.Local == "src" || a.Name.Local == "href" && !strings.HasPrefix(a.Value, "#") || strings.HasPrefix(a.Name.Local, "on") {
				t.Errorf("%s has %s=%q", e.Name.Local, a.Name.Local, a.Value)
			}
		}
	}
	for _, tag := range []string{"script", "link", "iframe", "img", "object", "image", "use"} {
		if tags[tag] > 0 {
			t.Errorf("%d of <%s>", tags[tag], tag)
		}
	}
	for _, fetch := range []string{"http:", "https:", "url(", "@import", "ZgotmplZ"} {
		if strings.Contains(text, fetch) {
			t.Errorf("there is %q in the page", fetch)
		}
	}
	for _, e := range Experiments() {
		if !ids[e.Name] {
			t.Errorf("%s is not on the page", e.Name)
		}
	}
	if tags["svg"] < 10 || tags["path"] < 20 {
		t.Errorf("%d drawings with %d lines", tags["svg"], tags["path"])
	}
	if strings.Contains(text, `class="not"`) {
		t.Error("the page says that something disagrees")
	}
}

func TestPageSaysWhatDisagrees(t *testing.T) {
	r, err := Run(t.Context(), lazy(), nil)
	if err != nil {
		t.Fatal(err)
	}
	f := &r.Steps[2].Facts[0]
	f.Shown, f.Agree = "<b>&", false
	r.Steps[2].settle()
	r.settle()
	text := page(t, r)
	if n := strings.Count(text, `class="step no"`); n != 1 {
		t.Errorf("%d steps are marked", n)
	}
	for _, want := range []string{"Kernel and prediction disagree", "&lt;b&gt;&amp;", "✗"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q on the page", want)
		}
	}
}

func TestPageSaysWhatIsNotFinished(t *testing.T) {
	if text := page(t, &Report{Experiment: lazy()}); !strings.Contains(text, "was not finished") {
		t.Error("an experiment without an answer looks finished")
	}
}

// A drawing has the pages of the scene, the frames that they lead to, and a line for each
// page that leads somewhere.
func TestDrawingsShowWhatWasSeen(t *testing.T) {
	cached := Page{State: Cached, Frame: 0xabc}
	sc := &Scene{Processes: []ProcessScene{
		{Name: "A", PID: 7, Areas: []Area{{Start: 0x1000, End: 0x3000, Perms: "rw-s", Object: "one", Pages: []Page{cached, {State: Absent}}}}},
		{Name: "B", PID: 8, Areas: []Area{
			{Start: 0x5000, End: 0x6000, Perms: "r--s", Object: "one", Pages: []Page{cached}},
			{Start: 0x8000, End: 0xa000, Perms: "rw-p", Pages: []Page{{State: Private}, {State: Zero}}},
		}},
	}}
	before := &Scene{Processes: []ProcessScene{{Name: "A", Areas: []Area{{Start: 0x1000, End: 0x2000, Pages: []Page{cached}}}}}}
	text := drawScene(sc, before)
	count := func(pattern string) int { return len(regexp.MustCompile(pattern).FindAllString(text, -1)) }
	for pattern, want := range map[string]int{
		`class="way"`:                4, // two to one frame, one to a page of B's own, one to zeros
		`page 0 · frame 0xabc`:       1, // one frame, however many lead there
		`page 1 · no entry`:          1,
		`frames of B alone`:          1,
		`page of zeros`:              1,
		`class="page cached new"`:    1, // B's; A's was there before
		`class="page private new"`:   1,
		`class="page absent"`:        1,
		`>1000-3000<`:                1,
		`aria-label="process A has `: 1,
	} {
		if got := count(pattern); got != want {
			t.Errorf("%d of %q, want %d", got, pattern, want)
		}
	}
}
