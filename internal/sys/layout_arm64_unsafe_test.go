//go:build arm64

package sys

import "unsafe"

func _() {
	var zero [1]struct{}

	_ = zero[unsafe.Sizeof(SemidDS{})-88]
	_ = zero[unsafe.Offsetof(SemidDS{}.Perm)-0]
	_ = zero[unsafe.Offsetof(SemidDS{}.Otime)-48]
	_ = zero[unsafe.Offsetof(SemidDS{}.Ctime)-56]
	_ = zero[unsafe.Offsetof(SemidDS{}.Nsems)-64]
}
