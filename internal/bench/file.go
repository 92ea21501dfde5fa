package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/filescan"
)

// fileBytes is how large the file is that is gone through: larger than caches.
const fileBytes = 128 << 20

// randomReads is how many short reads are one operation.
const randomReads = 1000

// Groups of the suite file.
const (
	groupScan   = "128 MiB from the beginning to the end, in the page cache"
	groupRandom = "1000 times 64 bytes here and there, in the page cache"
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

// A fileReader goes through a file once, or reads here and there, and returns a sum of what it saw.
type fileReader interface {
	read() (sum uint64, err error)
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
	scan := func(name, about string, ours bool, run func(string, int64) (uint64, time.Duration, error)) fileWay {
		return fileWay{name: name, about: about, ours: ours, group: groupScan, open: func(path string) (fileReader, error) { return &scanning{path, run}, nil }}
	}
	all := []fileWay{
		{name: "memory", about: "the same of as many bytes that are the program's own", yardstick: true, group: groupScan, open: openOwn},
		scan("read", "read(2), 128 KiB at a time", false, filescan.Read(128<<10)),
		scan("read 1 MiB", "read(2), 1 MiB at a time", false, filescan.Read(1<<20)),
		scan("mapped", "filemap.Open, all of it", true, filescan.Open(nil)),
		scan("populated", "filemap.Open with Populate, all of it", true, filescan.Open(&filemap.Options{Populate: true})),
		scan("Scan", "filemap.Scan", true, filescan.Scan(nil)),
		{name: "pread", about: "pread(2)", yardstick: true, group: groupRandom, open: func(path string) (fileReader, error) {
			f, err := os.Open(path)
			if err != nil {
				return nil, err
			}
			return &randomly{f, f}, nil
		}},
		{name: "ReadAt", ours: true, about: "ReadAt of a mapped file", group: groupRandom, open: func(path string) (fileReader, error) {
			f, err := filemap.Open(path, nil)
			if err != nil {
				return nil, err
			}
			return &randomly{f, f}, nil
		}},
		{name: "Bytes", ours: true, about: "copy from the bytes of a mapped file", group: groupRandom, open: func(path string) (fileReader, error) {
			f, err := filemap.Open(path, nil)
			if err != nil {
				return nil, err
			}
			return &randomly{filescan.Copier(f.Bytes()), f}, nil
		}},
	}
	return append(all, moreFileWays...)
}

// makeFile makes the file, which never has a name that stays.
func makeFile() (_ *os.File, err error) {
	f, err := os.CreateTemp("", folder)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := os.Remove(f.Name()); err != nil {
		return nil, err
	}
	block := make([]byte, 1<<20)
	for i := range fileBytes / len(block) {
		fill(block, uint64(i))
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// A filing is the side that reads, which is A's.
type filing struct {
	r    *room
	way  fileReader // nil in B
	path string
	want uint64
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
	if s.want == 0 { // the first time, which is none that counts
		var err error
		if s.want, err = s.expected(); err != nil {
			return err
		}
	}
	for range n {
		got, err := s.way.read()
		if err != nil {
			return err
		}
		if got != s.want {
			return fmt.Errorf("the sum of what was read is %d, and should be %d", got, s.want)
		}
	}
	return nil
}

// expected is the sum that comes of the file's bytes, made anew.
func (s *filing) expected() (sum uint64, err error) {
	all := ownBytes()
	if s.r.Group == groupScan {
		return filescan.Digest(all), nil
	}
	sum, _, err = filescan.Randomly(filescan.Copier(all), fileBytes, randomReads)
	return sum, err
}

// ownBytes are the file's bytes, in memory of the program's own.
func ownBytes() []byte {
	all := make([]byte, fileBytes)
	for i := range fileBytes >> 20 {
		fill(all[i<<20:][:1<<20], uint64(i))
	}
	return all
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
	run  func(string, int64) (uint64, time.Duration, error)
}

func (s *scanning) read() (uint64, error) {
	sum, _, err := s.run(s.path, fileBytes)
	return sum, err
}

func (s *scanning) Close() error { return nil }

// An own is memory of the program's own.
type own []byte

func openOwn(string) (fileReader, error) { return own(ownBytes()), nil }

func (o own) read() (uint64, error) { return filescan.Digest(o), nil }

func (o own) Close() error { return nil }

// A randomly reads at offsets that are the same each time.
type randomly struct {
	from io.ReaderAt
	file io.Closer
}

func (r *randomly) read() (uint64, error) {
	sum, _, err := filescan.Randomly(r.from, fileBytes, randomReads)
	return sum, err
}

func (r *randomly) Close() error { return r.file.Close() }
