package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shmkit/shmkit/internal/bench"
)

// evil is a name that would break a page, and has no room.
const evil = `</svg><b title='"'>&amp; a way whose name is longer than any that there is`

// aRow is a row with figures that are told from each other.
func aRow(t bench.Trial, ns float64) *bench.Row {
	calls, memory := 2.5, int64(4096)
	return &bench.Row{
		Trial: t, Operations: 100, Nanoseconds: bench.Spread{Low: ns * 0.8, Median: ns, High: ns * 1.5}, PerSecond: 1e9 / ns, BytesPerSecond: 1e9 / ns * float64(t.Size),
		CPU: 2 * ns, Sleeps: 0.5, Calls: &calls, Memory: &memory, Ratio: ns / 100,
	}
}

// aResult has all there can be: suites of each sort, names that break things, what is not possible, and many ways.
func aResult() *bench.Result {
	res := &bench.Result{
		When: time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC), Command: "shmkit bench --html '<x>&.html'",
		Machine: bench.Machine{CPU: "<CPU>", CPUs: 2, Kernel: "6.1 & more", Go: "go1", Place: "here", Shmkit: "v0"},
	}
	ways := []string{"pipe", "unix stream", "unix datagram", "tcp", "posix queue", "sysv queue", "segment", "mapping", "queue", "queue loan", "topic", "topic loan", "one more", evil}
	ours := []string{"mapping", "queue", "queue loan", "topic", "topic loan"}
	for _, suite := range []string{"latency", "throughput"} {
		for k, size := range []int{8, 64, 4096, 1 << 20} {
			for _, touched := range []bool{false, true} {
				add := func(t bench.Trial, ns float64) {
					t.Suite, t.Size, t.Touched = suite, size, touched
					r := aRow(t, ns)
					if suite == "latency" {
						n := int64(ns)
						r.Times = &bench.Percentiles{P50: n, P90: 2 * n, P99: 9 * n, P999: 90 * n, Max: 900 * n}
					}
					res.Rows = append(res.Rows, r)
				}
				add(bench.Trial{Way: "cache line", Wait: bench.Spin, Yardstick: true}, 100)
				for i, w := range ways {
					for _, wait := range []bench.Wait{bench.Spin, bench.Block} {
						add(bench.Trial{Way: w, Wait: wait, Ours: slices.Contains(ours, w), About: evil}, float64(1000+10*i)*math.Pow(3, float64(k)))
					}
				}
				if size > 4096 {
					last := res.Rows[len(res.Rows)-1]
					*last = bench.Row{Trial: last.Trial, Impossible: "the kernel <has> none & " + evil}
				}
			}
		}
	}
	for _, n := range []int{1, 8, 64} {
		for i, w := range []string{"pipe", "topic"} {
			r := aRow(bench.Trial{Suite: "fanout", Way: w, Size: 64, Receivers: n, Ours: i == 1}, 500*float64(n))
			r.Sender = 100
			res.Rows = append(res.Rows, r)
		}
	}
	for _, group := range []string{"nobody else wants it", evil} {
		res.Rows = append(res.Rows,
			aRow(bench.Trial{Suite: "sync", Way: "sync.Mutex", Group: group, Yardstick: true}, 20),
			aRow(bench.Trial{Suite: "sync", Way: "RWMutex read", Group: group, Ours: true, Shared: true}, 25),
			aRow(bench.Trial{Suite: "sync", Way: "Mutex", Group: group, Ours: true}, 30),
			aRow(bench.Trial{Suite: "sync", Way: "file lock", Group: group}, 3e9))
	}
	return res
}

func page(t *testing.T, res *bench.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteHTML(&b, res); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// An element is a start of one, with the text behind it.
type element struct {
	name  string
	attrs map[string]string
	text  string
}

// elements parses, and fails where a page is not well-formed.
func elements(t *testing.T, text string) (all []element) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	var open []int
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			e := element{x.Name.Local, map[string]string{}, ""}
			for _, a := range x.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			open, all = append(open, len(all)), append(all, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				all[open[len(open)-1]].text += string(x)
			}
		}
	}
}

func TestPageIsWholeAndNeedsNothingElse(t *testing.T) {
	text := page(t, aResult())
	all := elements(t, text)
	count := map[string]int{}
	for _, e := range all {
		count[e.name]++
		for _, name := range []string{"src", "onload", "onclick"} {
			if v, has := e.attrs[name]; has {
				t.Errorf("<%s %s=%q>", e.name, name, v)
			}
		}
	}
	for _, name := range []string{"script", "link", "img", "iframe", "b"} {
		if count[name] > 0 {
			t.Errorf("%d of <%s>", count[name], name)
		}
	}
	if strings.Contains(text, "://") || strings.Contains(text, "url(") || strings.Contains(text, "@import") {
		t.Error("it refers to something else")
	}
	// By size: four plots each, open; percentiles: one, and seven folded away; by receivers: three; bars: two; the key: three.
	if got, want := count["svg"], 4+8+4+3+2+3; got != want {
		t.Errorf("%d drawings, want %d", got, want)
	}
	if count["details"] != 1 || !strings.Contains(text, "<summary>7 more</summary>") {
		t.Errorf("%d details", count["details"])
	}
	if got, want := count["table"], 4+2*8+3+2; got != want {
		t.Errorf("%d tables, want %d", got, want)
	}
	for _, want := range []string{"&lt;CPU&gt;", "6.1 &amp; more", "4 March 2026, 05:06 UTC", "&lt;x&gt;&amp;.html", "not possible: the kernel &lt;has&gt; none"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestPageOfNothing(t *testing.T) {
	elements(t, page(t, &bench.Result{}))
	none := &bench.Row{Trial: bench.Trial{Suite: "latency", Way: "pipe", Size: 64}, Impossible: "no"}
	text := page(t, &bench.Result{Rows: []*bench.Row{none}})
	elements(t, text)
	if !strings.Contains(text, "pipe: not possible: no") {
		t.Error("what is not possible is not there")
	}
}

var drawings = regexp.MustCompile(`(?s)<figure>(<svg.*?</svg>)</figure>`)

var numbers = regexp.MustCompile(`([MLHVhv])(-?[\d.]+)(?: (-?[\d.]+))?`)

// TestNothingSticksOut: texts and marks are within drawings, and names of lines do not lie on each other.
func TestNothingSticksOut(t *testing.T) {
	all := drawings.FindAllStringSubmatch(page(t, aResult()), -1)
	if len(all) == 0 {
		t.Fatal("no drawings")
	}
	for _, m := range all {
		var width, height float64
		names := map[float64][]float64{}
		for _, e := range elements(t, m[1]) {
			num := func(name string) float64 {
				v, _ := strconv.ParseFloat(e.attrs[name], 64)
				return v
			}
			within := func(x, y float64) {
				if x < 0 || x > width || y < 0 || y > height || math.IsNaN(x+y) {
					t.Errorf("%v at %.0f, %.0f of %.0f, %.0f", e, x, y, width, height)
				}
			}
			switch e.name {
			case "svg":
				if _, err := fmt.Sscanf(e.attrs["viewBox"], "0 0 %f %f", &width, &height); err != nil {
					t.Fatal(err)
				}
				if e.attrs["aria-label"] == "" {
					t.Error("a drawing without words")
				}
			case "text":
				size := sizeText
				for class, s := range map[string]float64{"title": sizeTitle, "small": sizeSmall} {
					if e.attrs["class"] == class {
						size = s
					}
				}
				left, w := num("x"), widthOf(e.text, size)
				switch e.attrs["text-anchor"] {
				case before:
					left -= w
				case centred:
					left -= w / 2
				}
				within(left, num("y")-size)
				within(left+w, num("y"))
				if strings.HasPrefix(e.attrs["class"], "name") {
					names[num("x")] = append(names[num("x")], num("y"))
				}
			case "circle":
				within(num("cx"), num("cy"))
			case "rect":
				within(num("x"), num("y"))
				within(num("x")+num("width"), num("y")+num("height"))
				if num("width") <= 0 {
					t.Errorf("%v cannot be seen", e)
				}
			case "path":
				for _, n := range numbers.FindAllStringSubmatch(e.attrs["d"], -1) {
					if x, _ := strconv.ParseFloat(n[2], 64); n[3] != "" {
						y, _ := strconv.ParseFloat(n[3], 64)
						within(x, y)
					}
				}
			}
		}
		for _, ys := range names {
			slices.Sort(ys)
			for i := 1; i < len(ys); i++ {
				if ys[i]-ys[i-1] < nameGap-0.2 {
					t.Errorf("names at %.1f and %.1f", ys[i-1], ys[i])
				}
			}
		}
	}
}

func TestSpread(t *testing.T) {
	if got := spread([]float64{10, 50, 90}, 20, 0, 100); !slices.Equal(got, []float64{10, 50, 90}) {
		t.Errorf("moved without need: %v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		const gap, low = 18.0, 40.0
		places := rapid.SliceOfN(rapid.Float64Range(low, 440), 0, 20).Draw(t, "places")
		high := low + max(400, gap*float64(len(places)))
		got := spread(places, gap, low, high)
		for i, a := range got {
			if a < low-1e-6 || a > high+1e-6 {
				t.Fatalf("%v outside", a)
			}
			for j, b := range got {
				if i != j && math.Abs(a-b) < gap-1e-6 {
					t.Fatalf("%v and %v", a, b)
				}
				if places[i] < places[j] && a > b {
					t.Fatalf("%v and %v have changed places", places[i], places[j])
				}
			}
		}
	})
}

func TestAxis(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Float64Range(0.5, 1e11), 1, 9).Draw(t, "numbers")
		for _, u := range []unit{times, rates, counts} {
			a := newAxis(all, u).placed(700, 100)
			for _, v := range all {
				if at := a.at(v); at <= 100 || at >= 700 {
					t.Fatalf("%v at %v", v, at)
				}
			}
			grid := a.grid()
			if len(grid) == 0 || !slices.IsSorted(grid) || grid[0] < a.low || grid[len(grid)-1] > a.high {
				t.Fatalf("%v in %v to %v", grid, a.low, a.high)
			}
		}
	})
	for ns, want := range map[float64]string{0.5: "0.50 ns", 87: "87 ns", 1360: "1.36 µs", 2.5e9: "2.50 s", 12e6: "12 ms"} {
		if got := duration(ns); got != want {
			t.Errorf("%v: %s, want %s", ns, got, want)
		}
	}
}
