package sys

// Flags of semop and commands of semctl; <linux/sem.h>.
const (
	SEM_UNDO = 0x1000

	GETPID  = 11
	GETVAL  = 12
	GETALL  = 13
	GETNCNT = 14
	GETZCNT = 15
	SETVAL  = 16
	SETALL  = 17

	SEM_STAT     = 18
	SEM_INFO     = 19
	SEM_STAT_ANY = 20 // since Linux 4.17
)

// Sembuf is struct sembuf, one operation on one semaphore of a set.
type Sembuf struct {
	Num   uint16
	Delta int16
	Flags int16
}

// Seminfo is struct seminfo. IPC_INFO fills it with limits; SEM_INFO does too,
// but Semusz is then the number of sets and Semaem the number of semaphores.
type Seminfo struct {
	Semmap int32
	Semmni int32 // most sets
	Semmns int32 // most semaphores of all sets together
	Semmnu int32
	Semmsl int32 // most semaphores in a set
	Semopm int32 // most operations in one call
	Semume int32
	Semusz int32
	Semvmx int32 // largest value
	Semaem int32
}
