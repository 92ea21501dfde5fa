package model

// PageSize is the size of a page in bytes: the unit in which the kernel hands out
// memory, protects it and takes it back. The model knows the common size only.
const PageSize = 4096

// A frame is one page of physical memory. Two processes share memory when the page
// tables of both lead to the same frame, and for no other reason.
type frame [PageSize]byte

// pageOf returns the number of the page that holds byte off.
func pageOf(off int64) int64 { return off / PageSize }

// pagesOf returns how many pages n bytes need.
func pagesOf(n int64) int64 { return (n + PageSize - 1) / PageSize }

// inPage returns where in its page byte off lies.
func inPage(off int64) int64 { return off % PageSize }
