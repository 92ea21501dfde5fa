package model

// A kind says where an object comes from. To a mapping they are all the same: bytes
// in pages. What differs is how long they live, whether they can be sealed, and what
// happens to the last, half page.
type kind string

const (
	memfdKind   kind = "memfd"   // memory with a descriptor and no name
	diskKind    kind = "disk"    // a file whose pages are copies of blocks on a device
	segmentKind kind = "segment" // what a System V segment keeps its bytes in
	anonKind    kind = "zero"    // what MAP_SHARED|MAP_ANONYMOUS makes
)

// An Object is what can be mapped: a sequence of bytes with a size, of which some pages
// are in memory. The pages in memory are the page cache. There is one per object, not
// one per process: that is what makes the memory shared.
type Object struct {
	name    string
	kind    kind
	size    int64 // bytes
	pages   map[int64]*cachePage
	seals   Flags
	segment *Segment // of a segmentKind
	// remains: a changed page was taken away. Disk files keep pages in larger pieces
	// (folios), and what is left of a piece stays as dirty as it was.
	remains bool
}

// A cachePage is one page of the page cache.
type cachePage struct {
	frame
	// blank: fallocate reserved the page, nobody has used it. It takes memory, but
	// counts as absent until it is cleared at first use.
	blank bool
	// dirty: the page differs from the block on the device. Only disk files have
	// anything to write back.
	dirty bool
}

func newObject(name string, k kind, size int64) *Object {
	return &Object{name: name, kind: k, size: size, pages: map[int64]*cachePage{}}
}

// end is the number of the first page that lies wholly behind the end of the object.
func (o *Object) end() int64 { return pagesOf(o.size) }

// cached reports whether page i is in memory and in use.
func (o *Object) cached(i int64) bool {
	c := o.pages[i]
	return c != nil && !c.blank
}

// page brings page i into memory, filled with zeros if it was a hole, and returns it.
// This is the first touch that allocates: a mapping and a size allocate nothing.
func (o *Object) page(i int64) *cachePage {
	c := o.pages[i]
	if c == nil {
		c = &cachePage{}
		o.pages[i] = c
	}
	c.blank = false
	return c
}

// at returns the byte at off without bringing anything into memory: read(2) of a hole
// needs no page.
func (o *Object) at(off int64) byte {
	if c := o.pages[pageOf(off)]; c != nil {
		return c.frame[inPage(off)]
	}
	return 0
}

// put is one byte of write(2).
func (o *Object) put(off int64, b byte) {
	c := o.page(pageOf(off))
	c.frame[inPage(off)] = b
	o.soil(c)
}

// soil marks a page as changed, where there is a device to be behind.
func (o *Object) soil(c *cachePage) {
	if o.kind == diskKind {
		c.dirty = true
	}
}

// grow makes the object longer. Bytes behind the old end that somebody stored there
// through a mapping of the last page are wiped by a disk file system. tmpfs leaves them,
// so they become content.
func (o *Object) grow(size int64) {
	if o.kind == diskKind {
		o.wipe(o.size, min(size, o.end()*PageSize))
	}
	o.size = size
}

// shrink cuts the object off at size. Whole pages behind it go; what is left of the
// last page is filled with zeros.
func (o *Object) shrink(size int64) {
	o.size = size
	for i := range o.pages {
		if i >= o.end() {
			o.discard(i)
		}
	}
	o.wipe(size, o.end()*PageSize)
}

// punch makes a hole: whole pages in the range are given back, parts of pages are
// zeroed in place. The size stays.
func (o *Object) punch(off, end int64) {
	first, last := pagesOf(off), pageOf(end)
	for i := range o.pages {
		if first <= i && i < last {
			o.discard(i)
		}
	}
	o.wipe(off, min(first*PageSize, end))
	o.wipe(max(off, last*PageSize), end)
}

// discard takes a page out of memory without writing it back.
func (o *Object) discard(i int64) {
	o.remains = o.remains || o.pages[i].dirty
	delete(o.pages, i)
}

// wipe fills bytes with zeros where there is a page to fill.
func (o *Object) wipe(off, end int64) {
	for ; off < end; off++ {
		c := o.pages[pageOf(off)]
		if c == nil {
			off = (pageOf(off)+1)*PageSize - 1
			continue
		}
		c.frame[inPage(off)] = 0
		o.soil(c)
	}
}

// writeBack brings the pages from first up to last to the device: they are clean then.
// What somebody stored behind the end in the last page is wiped before it gets there.
func (o *Object) writeBack(first, last int64) {
	if first == 0 && last >= o.end() {
		o.remains = false
	}
	for i, c := range o.pages {
		if c.dirty && first <= i && i < last {
			o.wipe(max(o.size, i*PageSize), (i+1)*PageSize)
			c.dirty = false
		}
	}
}

// dirty reports whether any page waits to be written back, or may.
func (o *Object) dirty() bool {
	if o.remains {
		return true
	}
	for _, c := range o.pages {
		if c.dirty {
			return true
		}
	}
	return false
}
