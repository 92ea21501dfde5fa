package sysv_test

import (
	"fmt"
	"testing"

	"github.com/shmkit/shmkit/sysv"
)

// Attaching takes no longer for a large segment: nothing is brought in.
func BenchmarkAttachDetach(b *testing.B) {
	for _, size := range []int64{4 << 10, 64 << 20} {
		seg, err := getPrivate(b, size, &sysv.SegmentOptions{GetOptions: sysv.GetOptions{Mode: 0o600}})
		ok(b, err)
		for _, exposed := range []bool{false, true} {
			what := "copied"
			if exposed {
				what = "pointers shown" // whose addresses stay reserved for a while
			}
			b.Run(fmt.Sprintf("%d/%s", size, what), func(b *testing.B) {
				for b.Loop() {
					m, err := seg.Attach(nil)
					if err != nil {
						b.Fatal(err)
					}
					if exposed {
						m.Bytes()
					}
					if err := m.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkStat(b *testing.B) {
	seg := newSegment(b, 4096, 0o600)
	for b.Loop() {
		if _, err := seg.Stat(); err != nil {
			b.Fatal(err)
		}
	}
}
