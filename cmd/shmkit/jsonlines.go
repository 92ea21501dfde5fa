package main

import (
	"bytes"
	"encoding/base64"
	"io"
	"unicode/utf8"
)

// jsonLines makes of each line that is written to it an object on a line. What ends a
// Write and is no whole line yet waits for the rest.
type jsonLines struct {
	w    io.Writer
	part []byte
}

// lineJSON is a line, for programs. The keys are stable.
type lineJSON struct {
	Line   *string `json:"line"`   // null if it isn't UTF-8
	Base64 *string `json:"base64"` // null if it is
}

// Write implements io.Writer.
func (j *jsonLines) Write(p []byte) (int, error) {
	var objects []byte
	rest := p
	for {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		if !ended {
			break
		}
		objects = append(objects, jsonLine(newLineJSON(append(j.part, line...)))...)
		j.part, rest = j.part[:0], after
	}
	j.part = append(j.part, rest...)
	if len(objects) > 0 {
		if _, err := j.w.Write(objects); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func newLineJSON(line []byte) lineJSON {
	if text := string(line); utf8.ValidString(text) {
		return lineJSON{Line: &text}
	}
	text := base64.StdEncoding.EncodeToString(line)
	return lineJSON{Base64: &text}
}
