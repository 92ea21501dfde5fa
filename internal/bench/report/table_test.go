package report

import (
	"slices"
	"testing"

	"github.com/shmkit/shmkit/internal/bench"
)

func TestTableHasTheBestAndWhyThereAreNoFigures(t *testing.T) {
	yard := aRow(bench.Trial{Way: "line", Yardstick: true, Wait: bench.Spin}, 1)
	slow, fast := aRow(bench.Trial{Way: "pipe", Wait: bench.Spin}, 30), aRow(bench.Trial{Way: "topic", Wait: bench.Block, Ours: true}, 20)
	half := aRow(bench.Trial{Way: "read lock", Shared: true}, 10)
	not := &bench.Row{Trial: bench.Trial{Way: "pigeon"}, Impossible: "no sky"}
	fast.Calls = nil
	given := []*bench.Row{not, slow, fast, half, yard}
	table := NewTable(given, false)
	var names []string
	for _, l := range table.Lines {
		names = append(names, l.Name)
		if l.Best != (l.Name == "topic") {
			t.Errorf("%s: best %v", l.Name, l.Best)
		}
		if len(l.Cells) != len(table.Headings) {
			t.Errorf("%s: %d cells of %d", l.Name, len(l.Cells), len(table.Headings))
		}
	}
	if want := []string{"[line]", "read lock", "topic", "pipe, spin"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	if len(table.Not) != 1 || table.Not[0].Name != "pigeon" || !slices.Equal(table.Not[0].Cells, []string{"no sky"}) {
		t.Errorf("%+v", table.Not)
	}
	// Nothing was timed one by one, and nothing has a size.
	if want := []string{"EACH", "×", "PER SEC", "CPU", "CALLS", "MEM"}; !slices.Equal(table.Headings, want) {
		t.Errorf("%q, want %q", table.Headings, want)
	}
	if got, want := table.Lines[2].Cells, []string{"20n", "0.20", "50M", "40n", "-", "4 KiB"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if wide := NewTable(given, true); len(wide.Headings) != len(table.Headings)+2 {
		t.Errorf("wide: %q", wide.Headings)
	}
	if given[0] != not {
		t.Error("the rows were sorted in place")
	}
}

// What is compared waits alike, does as much, and is no yardstick.
func TestLikeIsComparedWithLike(t *testing.T) {
	rows := func(wait bench.Wait, kernel, ours float64) []*bench.Row {
		return []*bench.Row{
			aRow(bench.Trial{Suite: "latency", Way: "pipe", Wait: wait, Size: 64, Touched: true}, kernel), aRow(bench.Trial{Suite: "latency", Way: "tcp", Wait: wait, Size: 64, Touched: true}, 2*kernel),
			aRow(bench.Trial{Suite: "latency", Way: "topic", Wait: wait, Size: 64, Touched: true, Ours: true}, ours),
			aRow(bench.Trial{Suite: "latency", Way: "half", Wait: wait, Size: 64, Touched: true, Ours: true, Shared: true}, 1),
		}
	}
	all := slices.Concat(rows(bench.Spin, 100, 200), rows(bench.Block, 900, 300), []*bench.Row{
		aRow(bench.Trial{Suite: "latency", Way: "line", Wait: bench.Spin, Size: 64, Touched: true, Yardstick: true}, 1),
		aRow(bench.Trial{Suite: "latency", Way: "topic", Wait: bench.Spin, Size: 64, Ours: true}, 1),
		aRow(bench.Trial{Suite: "latency", Way: "pipe", Wait: bench.Spin, Size: 64}, 2),
	})
	for _, r := range all {
		r.BytesPerSecond = 0
	}
	got := bestOf(contestsOf(all))
	want := []versus{
		{"64 bytes, in the call that sleeps", "pipe", "topic", "900 ns", "300 ns", "3"},
		{"64 bytes, asking again and again", "pipe", "topic", "100 ns", "200 ns", "0.50"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Ways have one look wherever they are, and a way that is a yardstick elsewhere keeps its own.
func TestLooks(t *testing.T) {
	futex := bench.Trial{Suite: "a", Way: "futex"}
	yard := futex
	yard.Yardstick = true
	rows := []*bench.Row{aRow(yard, 1), aRow(futex, 1), aRow(bench.Trial{Way: "pipe"}, 1), aRow(bench.Trial{Way: "topic", Ours: true}, 1), aRow(bench.Trial{Way: "topic loan", Ours: true}, 1), aRow(bench.Trial{Way: "queue", Ours: true}, 1)}
	looks := looksOf(rows)
	var got []look
	for _, r := range rows {
		got = append(got, looks.of(r))
	}
	want := []look{{"yard", disc}, {"kernel", disc}, {"kernel", square}, {"ours h0", disc}, {"ours h0", ring}, {"ours h1", disc}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
