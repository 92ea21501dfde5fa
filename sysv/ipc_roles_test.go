package sysv_test

import "github.com/shmkit/shmkit/internal/testenv"

// ipcRoles are the other processes of the tests of semaphores, message queues
// and namespaces.
var ipcRoles = map[string]testenv.Role{
	"ipc-agent":       agentRole,
	"ignores-signals": cancelIgnoringSignals,
}
