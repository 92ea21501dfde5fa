package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// messageFormat is how messages follow one another in a stream of bytes: as lines, or framed,
// each with its length in 4 bytes in front, little endian.
type messageFormat struct{ framed bool }

func (f *messageFormat) register(cmd *cobra.Command, one string) {
	cmd.Flags().BoolVar(&f.framed, "framed", false, one+" is its length in 4 bytes, little endian, and its bytes")
}

// noun is what people call one of them.
func (f messageFormat) noun() string {
	if f.framed {
		return "message"
	}
	return "line"
}

// nouns is a number of them.
func (f messageFormat) nouns(n int64) string { return plural(int(n), f.noun(), f.noun()+"s") }

// frameHeader is the length in front of a message.
const frameHeader = 4

// messageReader takes messages from a stream. A line is what stands before a newline, or before
// the end of the stream if there is anything; all other bytes are the message's.
type messageReader struct {
	messageFormat
	r    *bufio.Reader
	most int // bytes of a message
	buf  []byte
	got  int64 // messages that next returned
	part bool  // next failed in the middle of one
}

func newMessageReader(r io.Reader, f messageFormat, most int) *messageReader {
	return &messageReader{messageFormat: f, r: bufio.NewReaderSize(r, 64<<10), most: most}
}

// errTooLong: a message is longer than the reader takes.
var errTooLong = errors.New("too long")

// next returns the next message, until the one after; io.EOF when there is none.
func (m *messageReader) next() (message []byte, err error) {
	if m.framed {
		message, err = m.frame()
	} else {
		message, err = m.line()
	}
	if err == nil {
		m.got++
	}
	return message, err
}

func (m *messageReader) line() ([]byte, error) {
	m.buf = m.buf[:0]
	for {
		piece, err := m.r.ReadSlice('\n')
		m.buf = append(m.buf, piece...)
		m.part = len(m.buf) > 0
		ended := err == nil
		if ended {
			m.buf = m.buf[:len(m.buf)-1]
		}
		switch {
		case len(m.buf) > m.most:
			return nil, fmt.Errorf("line %d has more than %d bytes: %w", m.got+1, m.most, errTooLong)
		case ended || err == io.EOF && m.part:
			m.part = false
			return m.buf, nil
		case err != bufio.ErrBufferFull:
			return nil, err
		}
	}
}

func (m *messageReader) frame() ([]byte, error) {
	var header [frameHeader]byte
	n, err := io.ReadFull(m.r, header[:])
	m.part = n > 0
	if err == nil {
		length := int64(binary.LittleEndian.Uint32(header[:]))
		if length > int64(m.most) {
			return nil, fmt.Errorf("message %d has %d bytes, more than %d: %w", m.got+1, length, m.most, errTooLong)
		}
		m.buf, err = appendN(m.buf[:0], m.r, int(length))
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("standard input ends in the middle of message %d", m.got+1)
	}
	m.part = m.part && err != nil
	return m.buf, err
}

// appendN appends n bytes of a stream, taking memory as they come.
func appendN(b []byte, r io.Reader, n int) ([]byte, error) {
	const step = 1 << 20
	for n > 0 {
		k := min(n, step)
		from := len(b)
		b = append(b, make([]byte, k)...)
		if _, err := io.ReadFull(r, b[from:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return b[:from], err
		}
		n -= k
	}
	return b, nil
}

// errNewline: a message is no line.
var errNewline = errors.New("it has a newline within; --framed or --json prints it")

// appendMessage appends a message as it is written to a stream, in front of it, if it is a
// line, some text.
func (f messageFormat) appendMessage(b []byte, front string, message []byte) ([]byte, error) {
	if f.framed {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(message)))
		return append(b, message...), nil
	}
	for _, c := range message {
		if c == '\n' {
			return b, errNewline
		}
	}
	b = append(append(b, front...), message...)
	return append(b, '\n'), nil
}
