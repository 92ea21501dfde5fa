package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// A screen is a command line whose output is shown.
type screen struct {
	name string
	line string // for sh; shmkit is on its path
	// picture: the command writes it, into this file of docs/screens, with `--svg` behind the line.
	picture string
	caption string // of the picture
	lines   int    // of the output, if that is longer; 0: all
	fails   bool   // the command ends with 1, as doctor does that finds something
}

const pictures = "docs/screens"

var screens = []screen{
	{name: "ls", line: "shmkit ls"},
	{name: "who", line: "shmkit who posix:/frames"},
	{name: "pages", line: "shmkit pages posix:/frames"},
	{name: "pages-svg", line: "shmkit pages posix:/frames", picture: "pages.svg", caption: "Pages of /frames, and which of them each of three processes has"},
	{name: "top", line: "shmkit top --once"},
	{name: "doctor", line: "shmkit doctor", fails: true},
	{name: "explain", line: "shmkit explain frame", lines: 60},
}

// take runs the command of a screen, and returns what the README says of it.
func (w *world) take(s screen) (string, error) {
	line, shown := s.line, s.line
	if s.picture != "" {
		line += " --svg " + filepath.Join(pictures, s.picture)
	}
	out, err := exec.Command("sh", "-c", line).CombinedOutput()
	var ended *exec.ExitError
	if s.fails && errors.As(err, &ended) && ended.ExitCode() == 1 {
		err = nil
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", line, err, out)
	}
	if s.picture != "" {
		return fmt.Sprintf("![%s](%s)\n", s.caption, filepath.Join(pictures, s.picture)), nil
	}
	text := strings.TrimRight(string(out), "\n")
	if all := strings.Split(text, "\n"); s.lines > 0 && len(all) > s.lines {
		text = strings.Join(append(all[:s.lines], "…"), "\n")
	}
	return "```\n$ " + shown + "\n" + text + "\n```\n", nil
}
