package proc

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// KPageFlags is what /proc/kpageflags has of a frame.
type KPageFlags uint64

// Bits of it; linux/kernel-page-flags.h.
const (
	KPageReferenced   KPageFlags = 1 << 2
	KPageDirty        KPageFlags = 1 << 4
	KPageActive       KPageFlags = 1 << 6
	KPageWriteback    KPageFlags = 1 << 8
	KPageAnonymous    KPageFlags = 1 << 12
	KPageSwapBacked   KPageFlags = 1 << 14
	KPageCompoundHead KPageFlags = 1 << 15
	KPageCompoundTail KPageFlags = 1 << 16
	KPageHuge         KPageFlags = 1 << 17 // of hugetlbfs
	KPageUnevictable  KPageFlags = 1 << 18
	KPageNone         KPageFlags = 1 << 20 // there is no such frame
	KPageTHP          KPageFlags = 1 << 22
	KPageZero         KPageFlags = 1 << 24
	KPageMlocked      KPageFlags = 1 << 33
)

// A KPage is what the kernel tells root of a frame.
type KPage struct {
	Flags KPageFlags
	Maps  uint64 // entries of page tables that lead to it; of a block of several pages, on average
}

// KPages reads /proc/kpageflags and /proc/kpagecount.
type KPages struct {
	flags, count *os.File
	order        []int
	buf          []byte
}

// OpenKPages opens them below a root. Only root may.
func OpenKPages(root string) (*KPages, error) {
	flags, err := os.Open(filepath.Join(root, "kpageflags"))
	if err != nil {
		return nil, err
	}
	count, err := os.Open(filepath.Join(root, "kpagecount"))
	if err != nil {
		return nil, errors.Join(err, flags.Close())
	}
	return &KPages{flags: flags, count: count}, nil
}

// Close ends it.
func (k *KPages) Close() error { return errors.Join(k.flags.Close(), k.count.Close()) }

// kpageGap is how many frames that nobody asked for are read rather than left out by
// another call.
const kpageGap = 64

// Read looks at frames, each number but 0.
func (k *KPages) Read(frames []uint64, into []KPage) error {
	// In the order of the frames: what lies close together is read together.
	k.order = k.order[:0]
	for i, f := range frames {
		if f != 0 {
			k.order = append(k.order, i)
		}
	}
	slices.SortFunc(k.order, func(a, b int) int { return cmp.Compare(frames[a], frames[b]) })
	for at := 0; at < len(k.order); {
		first, end := frames[k.order[at]], at+1
		for end < len(k.order) && frames[k.order[end]]-frames[k.order[end-1]] <= kpageGap && frames[k.order[end]]-first < pagemapChunk {
			end++
		}
		if err := k.readTogether(frames, into, k.order[at:end]); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// readTogether looks at frames that lie close together.
func (k *KPages) readTogether(frames []uint64, into []KPage, which []int) error {
	first, last := frames[which[0]], frames[which[len(which)-1]]
	size := int(last-first+1) * 8
	if len(k.buf) < size {
		k.buf = make([]byte, size)
	}
	for _, f := range []*os.File{k.flags, k.count} {
		n, err := f.ReadAt(k.buf[:size], int64(first*8))
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for _, i := range which {
			value := uint64(0)
			if at := int(frames[i]-first) * 8; at+8 <= n {
				value = binary.NativeEndian.Uint64(k.buf[at:])
			}
			if f == k.flags {
				into[i].Flags = KPageFlags(value)
			} else {
				into[i].Maps = value
			}
		}
	}
	return nil
}
