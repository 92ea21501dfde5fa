package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/testenv"
)

// What top shows of an object is all that stat tells, and who uses it.
func TestALookOfTopTellsWhatStatTells(t *testing.T) {
	key := testenv.KeyLeakChecked(t)
	mustRun(t, "create", at("sysv", key), "--size", "1M")
	defer mustRun(t, "rm", at("sysv", key))
	var stat []struct {
		Address string `json:"address"`
		ID      int    `json:"id"`
	}
	if err := json.Unmarshal([]byte(mustRun(t, "stat", "--json", at("sysv", key))), &stat); err != nil {
		t.Fatal(err)
	}
	user := testenv.Start(t, "attached", strconv.Itoa(stat[0].ID))
	user.Expect("attached")
	s, err := inspect.Take(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	a := &app{kinds: allKinds(), colour: true}
	lines, err := a.tellAll(t.Context(), s, "sysv:id="+strconv.Itoa(stat[0].ID))
	if err != nil {
		t.Fatal(err)
	}
	told := strings.Join(lines, "\n") + "\n"
	_, want, _ := strings.Cut(mustRun(t, "stat", "sysv:id="+strconv.Itoa(stat[0].ID)), "\n")
	if !strings.HasPrefix(told, want) {
		t.Errorf("it tells\n%sand stat\n%s", told, want)
	}
	if !strings.Contains(want, " "+strconv.Itoa(user.Pid())+" ") || strings.Contains(told, "\x1b") {
		t.Errorf("who uses it is not told:\n%s", told)
	}
	if rest := strings.TrimPrefix(told, want); !strings.Contains(rest, "256 pages") {
		t.Errorf("its pages are\n%s", rest)
	}
	user.CloseStdin()
	if err := user.Wait(); err != nil {
		t.Error(err)
	}
	if lines, err := a.tellAll(t.Context(), s, "sysv:id=2147483647"); err == nil {
		t.Errorf("of what is not there: %q", lines)
	}
}
