package main

import (
	"os"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) {
	if isChild() {
		os.Exit(childMain(slices.Concat(works(), badWorks())))
	}
	testenv.Main(m, nil)
}
