//go:build amd64

package sys

import "unsafe"

func _() {
	var zero [1]struct{}

	_ = zero[unsafe.Sizeof(SemidDS{})-104]
	_ = zero[unsafe.Offsetof(SemidDS{}.Perm)-0]
	_ = zero[unsafe.Offsetof(SemidDS{}.Otime)-48]
	_ = zero[unsafe.Offsetof(SemidDS{}.Ctime)-64] // after an unused word
	_ = zero[unsafe.Offsetof(SemidDS{}.Nsems)-80] // and another
}
