package bench

import "testing"

func TestNumbersForPeople(t *testing.T) {
	for ns, want := range map[float64]string{
		0: "0n", 0.42: "0.42n", 29.4: "29.4n", 87: "87n", 999: "999n", 999.4: "999n", 999.6: "1.00µ", 1000: "1µ", 1360: "1.36µ", 12_400_000: "12.4m", 2.5e9: "2.50s", 150e9: "150s",
	} {
		if got := Seconds(ns); got != want {
			t.Errorf("%v ns: %s, want %s", ns, got, want)
		}
	}
	for n, want := range map[float64]string{0: "0", 870: "870", 1360: "1.36k", 12.4e6: "12.4M", 999_960: "1.00M", 3e9: "3G"} {
		if got := Count(n); got != want {
			t.Errorf("%v: %s, want %s", n, got, want)
		}
	}
	if Factor(0) != "" || Factor(1.504) != "1.50" || Factor(99.96) != "100" {
		t.Error(Factor(0), Factor(1.504), Factor(99.96))
	}
}

func TestTitles(t *testing.T) {
	for want, tr := range map[string]Trial{
		"latency: 64 bytes, of which 8 are written and read":            {Suite: "latency", Size: 64},
		"latency: 4 KiB, all of them written and read":                  {Suite: "latency", Size: 4096, Touched: true},
		"throughput: 8 bytes":                                           {Suite: "throughput", Size: 8, Touched: true},
		"fanout: 1 MiB, of which 8 are written and read, to 64 at once": {Suite: "fanout", Size: 1 << 20, Receivers: 64},
		"sync: nobody else wants it":                                    {Suite: "sync", Group: "nobody else wants it"},
	} {
		if got := Title(tr); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
