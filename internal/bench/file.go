package bench

import (
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"os"
	"syscall"

	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/filescan"
	"github.com/shmkit/shmkit/internal/sys"
)

// fileBytes is how large the file is that is gone through: larger than caches.
const fileBytes = 128 << 20

// randomReads is how many short reads are one operation.
const randomReads = 1000

// Groups of the suite file.
const (
	GroupScan   = "128 MiB from the beginning to the end, in the page cache"
	GroupRandom = "1000 times 64 bytes here and there, in the page cache"
)

// A fileWay is a way to get at the bytes of a file.
type fileWay struct {
	name      string
	about     string
	yardstick bool
	ours      bool // shmkit's
	group     string
	open      func(path string) (fileReader, error)
}

// A fileReader goes through a file once, or reads here and there, and hands what it sees to look.
type fileReader interface {
	read(look func([]byte)) error
	Close() error
}

// fileSuite is going through a file.
func fileSuite() suite {
	return suite{
		name: "file", about: "going through a file, and reading here and there", slow: true,
		trials: func(*Options) (all []Trial) {
			for _, w := range allFileWays() {
				all = append(all, Trial{Suite: "file", Way: w.name, Group: w.group, About: w.about, Yardstick: w.yardstick, Ours: w.ours})
			}
			return all
		},
		prepare: func(_ Trial, p *props) error {
			f, err := p.once("file", makeFile)
			if err != nil {
				return &impossible{fmt.Sprintf("no file of %d MiB in %s: %v", fileBytes>>20, os.TempDir(), err)}
			}
			p.give(f, f)
			return nil
		},
		open: openFileSide,
	}
}

// moreFileWays are those of tests.
var moreFileWays []fileWay

func allFileWays() []fileWay {
	scan := func(name, about string, ours bool, run filescan.Run) fileWay {
		return fileWay{name: name, about: about, ours: ours, group: GroupScan, open: func(path string) (fileReader, error) { return &scanning{path, run}, nil }}
	}
	all := []fileWay{
		{name: "memory", about: "the same of as many bytes that are the program's own", yardstick: true, group: GroupScan, open: openOwn},
		scan("read", "read(2), 128 KiB at a time", false, filescan.Read(128<<10)),
		scan("read 1 MiB", "read(2), 1 MiB at a time", false, filescan.Read(1<<20)),
		scan("mapped", "filemap.Open, all of it", true, filescan.Open(nil)),
		scan("populated", "filemap.Open with Populate, all of it", true, filescan.Open(&filemap.Options{Populate: true})),
		scan("Scan", "filemap.Scan", true, filescan.Scan(nil)),
		{name: "pread", about: "pread(2)", yardstick: true, group: GroupRandom, open: func(path string) (fileReader, error) {
			f, err := os.Open(path)
			if err != nil {
				return nil, err
			}
			return &randomly{f, f}, nil
		}},
		{name: "ReadAt", ours: true, about: "ReadAt of a mapped file", group: GroupRandom, open: func(path string) (fileReader, error) {
			f, err := filemap.Open(path, nil)
			if err != nil {
				return nil, err
			}
			return &randomly{f, f}, nil
		}},
		{name: "Bytes", ours: true, about: "copy from the bytes of a mapped file", group: GroupRandom, open: func(path string) (fileReader, error) {
			f, err := filemap.Open(path, nil)
			if err != nil {
				return nil, err
			}
			return &randomly{filescan.Copier(f.Bytes()), f}, nil
		}},
	}
	return append(all, moreFileWays...)
}

// makeFile makes the file, which never has a name where the file system can do without one.
func makeFile() (_ *os.File, err error) {
	f, err := namelessFile()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	// Where there is no room, that is known before any is taken.
	if err := sys.Fallocate(int(f.Fd()), 0, 0, fileBytes); err != nil && !errors.Is(err, syscall.EOPNOTSUPP) {
		return nil, os.NewSyscallError("fallocate", err)
	}
	block := make([]byte, blockBytes)
	for i := range fileBytes / blockBytes {
		fill(block, uint64(i))
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// blockBytes is how many bytes are made of one number.
const blockBytes = 1 << 20

func namelessFile() (*os.File, error) {
	fd, err := sys.OpenTmpfile(os.TempDir(), 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), "file"), nil
	}
	f, err := os.CreateTemp("", folder)
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// A made is the file's bytes, made when they are asked for: a block of them at a time.
type made struct {
	block []byte
	at    int64 // which
}

// ReadAt implements io.ReaderAt.
func (m *made) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		if i := at / blockBytes; m.block == nil || i != m.at {
			if m.block == nil {
				m.block = make([]byte, blockBytes)
			}
			fill(m.block, uint64(i))
			m.at = i
		}
		n += copy(p[n:], m.block[at%blockBytes:])
	}
	return n, nil
}

// A filing is the side that reads, which is A's.
type filing struct {
	r    *room
	way  fileReader // nil in B
	path string
	want map[bool]uint64 // by whether it is checked
}

func openFileSide(r *room) (side, error) {
	s := &filing{r: r}
	if !r.first {
		return s, nil
	}
	for _, w := range allFileWays() {
		if w.name != r.Way {
			continue
		}
		s.path = fmt.Sprintf("/proc/self/fd/%d", r.files[0].Fd())
		var err error
		s.way, err = w.open(s.path)
		return s, err
	}
	return nil, fmt.Errorf("there is no way %q", r.Way)
}

func (s *filing) run(n int, _ *recorder) error {
	if s.way == nil {
		return nil
	}
	if s.want == nil { // the first time, which is none that counts
		if err := s.expect(); err != nil {
			return err
		}
	}
	for range n {
		got, err := sumOf(s.r.pay.check, s.way.read)
		if err != nil {
			return err
		}
		if want := s.want[s.r.pay.check]; got != want {
			return fmt.Errorf("the sum of what was read is %#x, and should be %#x", got, want)
		}
	}
	return nil
}

// sumOf is a sum of what read sees: with check one of all bytes in their order, and else how many of them end a line,
// which is about the least that looks at all.
func sumOf(check bool, read func(look func([]byte)) error) (sum uint64, err error) {
	if !check {
		err = read(func(p []byte) { sum += filescan.Digest(p) })
		return sum, err
	}
	h := crc64.New(crc64.MakeTable(crc64.ECMA))
	err = read(func(p []byte) { _, _ = h.Write(p) })
	return h.Sum64(), err
}

// expect makes the file's bytes anew, and sums them up in both ways.
func (s *filing) expect() (err error) {
	s.want = map[bool]uint64{}
	for _, check := range []bool{false, true} {
		if s.want[check], err = sumOf(check, func(look func([]byte)) error {
			if s.r.Group == GroupRandom {
				_, err := filescan.Randomly(&made{}, fileBytes, randomReads, look)
				return err
			}
			m := &made{}
			for i := range int64(fileBytes / blockBytes) {
				_, _ = m.ReadAt(make([]byte, 1), i*blockBytes)
				look(m.block)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s *filing) memory() int64 { return -1 }

func (s *filing) close() error {
	if s.way == nil {
		return nil
	}
	return s.way.Close()
}

type scanning struct {
	path string
	run  filescan.Run
}

func (s *scanning) read(look func([]byte)) error {
	_, err := s.run(s.path, fileBytes, look)
	return err
}

func (s *scanning) Close() error { return nil }

// An own is memory of the program's own.
type own []byte

func openOwn(string) (fileReader, error) {
	all := make([]byte, fileBytes)
	for i := range fileBytes / blockBytes {
		fill(all[i*blockBytes:][:blockBytes], uint64(i))
	}
	return own(all), nil
}

func (o own) read(look func([]byte)) error {
	look(o)
	return nil
}

func (o own) Close() error { return nil }

// A randomly reads at offsets that are the same each time.
type randomly struct {
	from io.ReaderAt
	file io.Closer
}

func (r *randomly) read(look func([]byte)) error {
	_, err := filescan.Randomly(r.from, fileBytes, randomReads, look)
	return err
}

func (r *randomly) Close() error { return r.file.Close() }
