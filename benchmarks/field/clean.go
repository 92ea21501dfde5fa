package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/sysv"
)

// Programs remove what they made. What is here is for those that were killed.

// each calls remove with each name that a pair may have; those that are gone are well.
func each(folder string, remove func(string) error, ends ...string) error {
	var all error
	for _, end := range ends {
		if err := remove(folder + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, fmt.Errorf("remove %s: %w", folder+end, err))
		}
	}
	return all
}

func cleanBoost(folder string) error {
	// Its mutexes are POSIX semaphores.
	return errors.Join(each("/dev/shm/"+folder, os.Remove, "-there", "-back"), each("/dev/shm/sem."+folder, os.Remove, "-mutex"))
}

func cleanPosixQueues(folder string) error { return each(folder, sys.MqUnlink, "-there", "-back") }

func cleanSysvQueue(folder string) error {
	text, err := os.ReadFile(filepath.Join("/dev/shm", folder, "queue"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	id, err := strconv.Atoi(string(text))
	if err != nil {
		return err
	}
	q, err := sysv.OpenQueueID(id)
	if err != nil {
		return err
	}
	return q.Remove()
}
