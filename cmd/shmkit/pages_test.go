package main

import (
	"testing"

	"github.com/shmkit/shmkit/inspect"
)

func TestPagesAreDrawnSideBySide(t *testing.T) {
	if pageSize != 4096 {
		t.Skip("the picture is of pages of 4096 bytes")
	}
	f, object := twoProcesses(t)
	got := f.drawn(object, &app{}, 80, 16, inspect.PagesOptions{})
	const want = ``
	if got != want {
		t.Errorf("\n%s", got)
	}
}
