package model

import "strings"

// A call is one kind of operation.
type call struct {
	do     func(*Process, Op) Outcome
	fields string // the arguments it takes, with blanks between
	flags  string // the flags it knows, with commas between
}

func (c call) takes(field string) bool {
	for f := range strings.FieldsSeq(c.fields) {
		if f == field {
			return true
		}
	}
	return false
}

// calls are all operations. The flag "unknown" is one that the kernel does not know.
var calls = map[string]call{
	// Descriptors and what they refer to: files.go, filesize.go, seal.go.
	"memfd":     {(*Process).memfd, "fd flags", "sealing"},
	"tmpfile":   {(*Process).tmpfile, "fd", ""},
	"pipe":      {(*Process).pipe, "fd", ""},
	"open":      {(*Process).open, "fd from flags", "r,w,path,dup"},
	"close":     {(*Process).closeFile, "fd", ""},
	"write":     {(*Process).write, "fd off len val", ""},
	"read":      {(*Process).read, "fd off len", ""},
	"size":      {(*Process).fileSize, "fd", ""},
	"truncate":  {(*Process).truncate, "fd size", ""},
	"fallocate": {(*Process).fallocate, "fd off len flags", "keep,punch"},
	"fsync":     {(*Process).fsync, "fd", ""},
	"dirty":     {(*Process).isDirty, "fd", ""},
	"seal":      {(*Process).seal, "fd flags", "seal,shrink,grow,write,future"},
	"seals":     {(*Process).getSeals, "fd", ""},

	// Mappings: mmap.go, munmap.go, mprotect.go, mremap.go, msync.go, madvise.go,
	// mlock.go, look.go.
	"mmap":     {(*Process).mmap, "addr len prot flags fd off", "shared,private,validate,anonymous,noreplace,populate,locked,noreserve,unknown"},
	"munmap":   {(*Process).munmap, "addr len", ""},
	"mprotect": {(*Process).mprotect, "addr len prot", ""},
	"mremap":   {(*Process).mremap, "addr len new to flags", "maymove,fixed,dontunmap,unknown"},
	"msync":    {(*Process).msync, "addr len flags", "sync,async,invalidate,unknown"},
	"madvise": {(*Process).madvise, "addr len flags", "normal,random,sequential,willneed,dontneed,dontneed-locked,free,remove,dontfork,dofork," +
		"dontdump,dodump,populate-read,populate-write,guard-install,guard-remove,unknown"},
	"mlock":   {(*Process).mlock, "addr len flags", "onfault,unknown"},
	"munlock": {(*Process).munlock, "addr len", ""},
	"limit":   {(*Process).setLimit, "size", ""},
	"locked":  {(*Process).lockedPages, "", ""},
	"mincore": {(*Process).mincore, "addr len", ""},

	// Segments: shm.go, shmat.go, shmctl.go.
	"shmget":    {(*Process).shmget, "id key size mode flags", "creat,excl"},
	"shmat":     {(*Process).shmat, "id addr flags", "rdonly,rnd,remap"},
	"shmdt":     {(*Process).shmdt, "addr", ""},
	"rmid":      {(*Process).rmid, "id", ""},
	"stat":      {(*Process).stat, "id", ""},
	"chmod":     {(*Process).chmod, "id mode", ""},
	"shmlock":   {(*Process).shmlock, "id", ""},
	"shmunlock": {(*Process).shmunlock, "id", ""},

	// Memory: fault.go. The first three are done by the program, the others by the
	// kernel for it.
	"load":    {(*Process).load, "addr", ""},
	"store":   {(*Process).store, "addr val", ""},
	"peek":    {(*Process).peek, "addr", ""},
	"copyin":  {(*Process).copyIn, "addr", ""},
	"copyout": {(*Process).copyOut, "addr val", ""},

	// What a process sees of itself, and its end: look.go, munmap.go.
	"maps":  {(*Process).maps, "", ""},
	"table": {(*Process).pageTable, "", ""},
	"exit":  {(*Process).exit, "", ""},
}
