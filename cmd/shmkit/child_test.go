package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Who was asked to end before the command was started does not start it: from a terminal,
// the command would never be told.
func TestACommandIsNotStartedAfterTheEnd(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&interrupted{syscall.SIGINT})
	err := new(app).runCommand(ctx, []string{"touch", ran})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it says %v, want that it was interrupted", err)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the command ran")
	}
}
