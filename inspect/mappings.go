package inspect

import "errors"

// A ProcessMap is the address space of a process.
type ProcessMap struct {
	Process
	Mappings    []Mapping // by address
	MinorFaults uint64    // so far; answered without reading from a device
	MajorFaults uint64
	Locked      Amount // VmLck
	// Unknown says why the mappings tell no sizes but their own; empty if they do.
	Unknown string
}

// A Mapping is a range of addresses of one kind. The amounts are bytes, and 0 if ProcessMap.Unknown
// is not empty.
type Mapping struct {
	Range
	Device string // "00:1a"
	ID     ID     // zero for private anonymous memory
	Object string // address of what is mapped, as of Object.Address; empty for private anonymous memory
	Path   string // as the kernel has it, without " (deleted)": "/usr/bin/x", "[heap]"; may be empty
	Gone   bool   // the path had " (deleted)"

	Resident     uint64 // in the page tables of this process
	Proportional uint64 // the same, each page divided by how many map it
	SharedClean  uint64
	SharedDirty  uint64
	PrivateClean uint64 // mapped by this process alone
	PrivateDirty uint64
	Referenced   uint64
	Anonymous    uint64 // copies that stores into a private mapping made
	Swapped      uint64
	Locked       uint64
	Huge         uint64 // in huge pages of any sort
	PageSize     uint64
	Flags        []string // VmFlags: two letters each; proc_pid_smaps(5)
}

// Len returns the length in bytes.
func (r Range) Len() uint64 { return r.End - r.Start }

// MappingsOf returns the mappings of a process. fs.ErrNotExist: there is no such process.
// fs.ErrPermission: it does not let this user look.
func MappingsOf(pid int, o *Options) (ProcessMap, error) {
	return ProcessMap{}, errors.ErrUnsupported
}
