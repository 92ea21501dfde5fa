package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
)

// recordFile is where counts are kept, from the project's root.
const recordFile = "benchmarks/gate/instructions.json"

//go:embed instructions.json
var recordText []byte

// tolerance is by how much a count may be above the recorded one; slack is how many instructions it may be anyway.
// Counts are the same each time, but for a handful.
const (
	tolerance = 0.02
	slack     = 3
)

// A record is counts by path, for each compiler and architecture.
type record map[string]map[string]float64

// here names the compiler and architecture: others make other instructions.
func here() string { return runtime.Version() + " " + runtime.GOARCH }

func recorded() (record, error) {
	r := record{}
	if err := json.Unmarshal(recordText, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", recordFile, err)
	}
	return r, nil
}

// judge compares a count with the recorded one.
func (r record) judge(path string, n float64) (verdict string, worse bool) {
	was, ok := r[here()][path]
	switch {
	case !ok:
		return fmt.Sprintf("%12s for %s", "none", here()), false
	case n > was*(1+tolerance)+slack:
		return fmt.Sprintf("%12.1f  MORE: %+.1f %%", was, 100*(n/was-1)), true
	case n < was*(1-tolerance)-slack:
		return fmt.Sprintf("%12.1f  fewer: %+.1f %%", was, 100*(n/was-1)), false
	}
	return fmt.Sprintf("%12.1f", was), false
}

func (r record) set(path string, n float64) {
	if r[here()] == nil {
		r[here()] = map[string]float64{}
	}
	r[here()][path] = float64(int(n*10+0.5)) / 10
}

func (r record) write() error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(recordFile, append(text, '\n'), 0o644)
}
