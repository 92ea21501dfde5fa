package main

import (
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/posixshm"
	"github.com/shmkit/shmkit/sysv"
)

// framesName and ledgerKey are what actors share.
const (
	framesName = "/frames"
	ledgerKey  = 0x5eed
)

// act plays a process of the world until it is killed: its first argument says which, the second how
// many pages it touches. It says a line when it has done what it is there for.
func act(args []string) error {
	pages := 0
	if len(args) > 1 {
		var err error
		if pages, err = strconv.Atoi(args[1]); err != nil {
			return err
		}
	}
	var m *shmkit.Mapping
	var err error
	switch args[0] {
	case "store":
		if m, err = openFrames(false); err == nil {
			err = store(m, pages)
		}
	case "load":
		if m, err = openFrames(true); err == nil {
			err = load(m, pages)
		}
	case "attach":
		var s *sysv.Segment
		if s, err = sysv.OpenOrCreate(ledgerKey, 1<<20, 0o600); err == nil {
			m, err = s.Attach(nil)
		}
		if err == nil {
			err = store(m, pages)
		}
	case "leave": // a segment, and ends
		_, err = sysv.Create(0x1eaf, 8<<20, 0o600)
		return err
	default:
		err = fmt.Errorf("no actor plays %q", args[0])
	}
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for { // it ends with the world
		time.Sleep(time.Hour)
		runtime.KeepAlive(m)
	}
}

// openFrames opens the object, or makes it with nothing in it yet.
func openFrames(readOnly bool) (*shmkit.Mapping, error) {
	o, err := posixshm.OpenOrCreate(framesName, 96*4096, &posixshm.Options{Sparse: true})
	if err != nil {
		return nil, err
	}
	defer o.Close()
	return o.Map(&posixshm.MapOptions{ReadOnly: readOnly})
}

// store writes a byte to each of the first pages, but for some, and load reads them.
func store(m *shmkit.Mapping, pages int) error {
	for p := range pages {
		if p%16 > 11 {
			continue
		}
		if _, err := m.WriteAt([]byte{1}, int64(p)*4096); err != nil {
			return err
		}
	}
	return nil
}

func load(m *shmkit.Mapping, pages int) error {
	for p := range pages {
		if p%16 > 5 {
			continue
		}
		if _, err := m.ReadAt(make([]byte, 1), int64(p)*4096); err != nil {
			return err
		}
	}
	return nil
}
