package object

import "unsafe"

// headerAt and recordAt place the structures over bytes that are long enough and lie
// on a multiple of 64.
func headerAt(b []byte) *header { return (*header)(unsafe.Pointer(&b[:headerSize][0])) }

func recordAt(b []byte) *record { return (*record)(unsafe.Pointer(&b[:RecordHeader][0])) }

// Constants that do not compile unless the layout is what docs/abi/object.md says.
const (
	_ = uint(576 - unsafe.Sizeof(header{}))
	_ = uint(unsafe.Sizeof(header{}) - 576)
	_ = uint(RecordHeader - unsafe.Sizeof(record{}))
	_ = uint(unsafe.Sizeof(record{}) - RecordHeader)
	_ = uint(unsafe.Offsetof(header{}.body) - 88)
	_ = uint(88 - unsafe.Offsetof(header{}.body))
	_ = uint(unsafe.Offsetof(header{}.config) - 128)
	_ = uint(128 - unsafe.Offsetof(header{}.config))
	_ = uint(unsafe.Offsetof(header{}.typeName) - 256)
	_ = uint(256 - unsafe.Offsetof(header{}.typeName))
	_ = uint(unsafe.Offsetof(header{}.annex) - 520)
	_ = uint(520 - unsafe.Offsetof(header{}.annex))
	_ = uint(unsafe.Offsetof(record{}.command) - 40)
	_ = uint(40 - unsafe.Offsetof(record{}.command))
)
