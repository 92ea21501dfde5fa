package filemap

import (
	"os"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
)

// hugePage: windows begin at a multiple of it where they are long enough, so that the
// kernel can map large pieces of its cache at once.
const hugePage = 2 << 20

// A mappedPart is a part that is mapped.
type mappedPart struct {
	scan *scan
	window
}

// at makes the window show n bytes at off.
func (p *mappedPart) at(off, n int64) ([]byte, error) {
	if b, ok := p.has(off, n); ok {
		return b, nil
	}
	s := p.scan
	align := int64(hugePage)
	if s.Resident < 4*align || off%align+n > s.Resident {
		align = int64(os.Getpagesize())
	}
	before, behind := p.from, p.from+int64(len(p.bytes))
	from := off - off%align
	length := min(s.Resident, s.Off+s.Len-from) // shorter than the one before at the end only, so that it fits its place
	m, err := s.file.f.Map(fdmap.Options{Off: from, Len: length, Protection: shmkit.Read, Replace: p.m})
	if err != nil {
		return nil, err
	}
	p.window = window{m, from, m.Bytes()}
	s.drop(before, min(behind, from))
	// Huge pages let the cache be filled in pieces that are mapped at once, which is several
	// times as fast; kernels without them refuse (EINVAL).
	_ = m.Advise(0, length, shmkit.AdviseHugePage)
	if err := m.Advise(0, length, shmkit.AdviseSequential); err != nil {
		return nil, err
	}
	b, _ := p.has(off, n)
	return b, nil
}

func (p *mappedPart) leave() error {
	if p.m == nil {
		return nil
	}
	err := p.m.Close()
	p.scan.drop(p.from, min(p.from+int64(len(p.bytes)), p.scan.done)) // what comes may be copied, from the cache
	p.window = window{}
	return err
}
