package testenv

import (
	"os"
	"os/signal"
	"syscall"
)

// hearSignals makes the children of a test run that ignores signals, as one under
// nohup or in the background of a script does, begin with the default actions
// nevertheless: what is ignored is inherited through exec, what is caught is not.
func hearSignals() {
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig) // and never read: it goes on being ignored here
		}
	}
}
