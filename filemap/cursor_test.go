package filemap_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
)

func TestCursorIsAReaderLikeAnyOther(t *testing.T) {
	for _, n := range []int{0, 1, 100, pageSize, 200_000} {
		content := pattern(n)
		if err := iotest.TestReader(openNew(t, content, nil).NewCursor(), content); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		if n > 10 {
			f := openNew(t, content, &filemap.Options{Off: 7})
			if err := iotest.TestReader(f.NewCursor(), content[7:]); err != nil {
				t.Errorf("%d bytes from byte 7 on: %v", n, err)
			}
		}
	}
}

func TestCursorWrites(t *testing.T) {
	f := openNew(t, make([]byte, 300_000), &filemap.Options{Writable: true})
	c := f.NewCursor()
	content := pattern(250_000)
	if n, err := c.ReadFrom(iotest.OneByteReader(bytes.NewReader(content[:1000]))); n != 1000 || err != nil {
		t.Errorf("ReadFrom: %d, %v", n, err)
	}
	if n, err := io.Copy(c, bytes.NewReader(content[1000:])); n != 249_000 || err != nil {
		t.Errorf("Copy: %d, %v", n, err)
	}
	if !bytes.Equal(f.Bytes()[:250_000], content) {
		t.Error(difference(f.Bytes()[:250_000], content))
	}
	// At the end what fits is written, and told.
	n, err := c.Write(make([]byte, 50_010))
	wantError(t, err, shmkit.ErrOutOfRange, f.Name(), "10 bytes at offset 300000")
	if n != 50_000 {
		t.Errorf("wrote %d bytes", n)
	}
	if pos, err := c.Seek(0, io.SeekCurrent); pos != 300_000 || err != nil {
		t.Errorf("the position is %d, %v", pos, err)
	}
	if n, err := c.Write(nil); n != 0 || err != nil {
		t.Errorf("writing nothing at the end: %d, %v", n, err)
	}
	if _, err := c.ReadFrom(strings.NewReader("x")); !errors.Is(err, shmkit.ErrOutOfRange) {
		t.Errorf("ReadFrom at the end: %v", err)
	}
	// It grows with the file.
	must(t, f.Resize(300_001))
	if n, err := c.Write([]byte{5}); n != 1 || err != nil {
		t.Errorf("after Resize: %d, %v", n, err)
	}
	_, err = c.WriteAt([]byte{6}, 0)
	must(t, err)
	wantBytes(t, c, 0, 6)
}

func TestCursorWritesTo(t *testing.T) {
	content := pattern(200_000)
	c := openNew(t, content, nil).NewCursor()
	_, err := c.Seek(-150_000, io.SeekEnd)
	must(t, err)
	var got bytes.Buffer
	if n, err := c.WriteTo(&got); n != 150_000 || err != nil || !bytes.Equal(got.Bytes(), content[50_000:]) {
		t.Errorf("WriteTo: %d, %v", n, err)
	}
	if n, err := c.WriteTo(&got); n != 0 || err != nil {
		t.Errorf("WriteTo at the end: %d, %v", n, err)
	}
}

func TestCursorSeek(t *testing.T) {
	c := openNew(t, pattern(100), nil).NewCursor()
	for _, s := range []struct {
		off    int64
		whence int
		want   int64 // -1: refused, and the position stays
	}{
		{40, io.SeekStart, 40}, {-41, io.SeekCurrent, -1}, {10, io.SeekCurrent, 50}, {-100, io.SeekEnd, 0},
		{-101, io.SeekEnd, -1}, {-1, io.SeekStart, -1}, {1000, io.SeekEnd, 1100}, {1<<63 - 1, io.SeekCurrent, -1}, {0, 9, -1},
	} {
		got, err := c.Seek(s.off, s.whence)
		if s.want < 0 {
			wantError(t, err, syscall.EINVAL, "seek")
		} else if got != s.want || err != nil {
			t.Errorf("Seek(%d, %d) is %d, %v; want %d", s.off, s.whence, got, err, s.want)
		}
	}
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read behind the end: %v", err)
	}
	if n, err := c.Read(nil); n != 0 || err != nil {
		t.Errorf("read nothing: %d, %v", n, err)
	}
}

func TestCursorFault(t *testing.T) {
	f := openNew(t, pattern(3*pageSize), &filemap.Options{Writable: true})
	must(t, f.Truncate(int64(pageSize)))
	c := f.NewCursor()
	n, err := io.Copy(io.Discard, c)
	wantError(t, err, shmkit.ErrTruncated)
	if n != 0 { // the first piece of 64 KiB has the fault in it
		t.Errorf("copied %d bytes", n)
	}
	_, err = c.Seek(int64(pageSize), io.SeekStart)
	must(t, err)
	_, err = c.Write([]byte{1})
	wantError(t, err, shmkit.ErrTruncated)
}
