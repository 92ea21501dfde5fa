package stream

import "unsafe"

// The layout is the same everywhere, or this does not compile.
var (
	_ = [1]struct{}{}[unsafe.Sizeof(header{})-640]
	_ = [1]struct{}{}[unsafe.Offsetof(header{}.content)-12]
	_ = [1]struct{}{}[unsafe.Offsetof(header{}.semID)-24]
	_ = [1]struct{}{}[unsafe.Offsetof(header{}.tail)-64]
	_ = [1]struct{}{}[unsafe.Offsetof(header{}.limit)-128]
	_ = [1]struct{}{}[unsafe.Offsetof(header{}.joined)-192]
	_ = [1]struct{}{}[unsafe.Offsetof(header{}.need)-256]
	_ = [1]struct{}{}[unsafe.Offsetof(header{}.waiting)-264]
	_ = [1]struct{}{}[unsafe.Offsetof(header{}.verified)-320]
	_ = [1]struct{}{}[unsafe.Offsetof(header{}.highest)-384]
	_ = [1]struct{}{}[unsafe.Offsetof(header{}.turns)-448]
	_ = [1]struct{}{}[unsafe.Offsetof(header{}.arrivals)-512]
	_ = [1]struct{}{}[unsafe.Offsetof(header{}.passed)-576]
	_ = [1]struct{}{}[unsafe.Offsetof(header{}.since)-584]
	_ = [1]struct{}{}[unsafe.Sizeof(slot{})-64]
	_ = [1]struct{}{}[unsafe.Offsetof(slot{}.sleeping)-16]
	_ = [1]struct{}{}[slotsOffset+MaxReaders*unsafe.Sizeof(slot{})-68096]
)
