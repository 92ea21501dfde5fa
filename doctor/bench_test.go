package doctor

import (
	"fmt"
	"path/filepath"
	"testing"
)

// BenchmarkExamine looks at 5,000 objects that nobody has, on the machine as it is.
func BenchmarkExamine(b *testing.B) {
	shm := folder(b)
	for i := range 5000 {
		put(b, filepath.Join(shm, fmt.Sprint(i)))
	}
	o := &Options{Shm: shm, Age: -1, Areas: Shared | Files | Limits | Settings}
	for b.Loop() {
		found, err := Examine(ctx, o)
		if err != nil || len(found) < 5000 {
			b.Fatal(len(found), err)
		}
	}
}

// BenchmarkFix removes one.
func BenchmarkFix(b *testing.B) {
	shm := folder(b)
	path := filepath.Join(shm, "x")
	for b.Loop() {
		b.StopTimer()
		put(b, path)
		f, _ := about(examine(b, Options{Shm: shm, Age: -1}), "file:"+path)
		b.StartTimer()
		if err := Fix(ctx, f); err != nil {
			b.Fatal(err)
		}
	}
}
