package stream

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkRecord is a record put and taken in one process: no waiting, so that it
// shows what the checks and guards cost.
func BenchmarkRecord(b *testing.B) {
	for _, on := range []terrain{onSysV, onName, onMemfd} {
		for _, size := range []int{64, 4096} {
			b.Run(fmt.Sprintf("%s/%d", on, size), func(b *testing.B) {
				w, r := pair(b, on.spot(b), Options{Content: Lines})
				data := payload(1, size)
				ctx := context.Background()
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if err := w.Put(ctx, Line, data); err != nil {
						b.Fatal(err)
					}
					if _, err := r.Next(ctx); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
