package sys_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// A place is a field as C knows it: the structure, the field, where it is and
// how long. The last two are ours, and are compared with the kernel's headers.
type place struct {
	structure, field string
	offset, size     uintptr
}

// places are the fields of our structures, under the names of the kernel.
func places() []place {
	var all []place
	structure := func(name string, size uintptr, fields ...place) {
		all = append(all, place{name, "", 0, size})
		for _, f := range fields {
			f.structure = name
			all = append(all, f)
		}
	}
	field := func(name string, offset, size uintptr) place { return place{"", name, offset, size} }

	var p sys.IPCPerm
	structure("ipc64_perm", unsafe.Sizeof(p),
		field("key", unsafe.Offsetof(p.Key), unsafe.Sizeof(p.Key)),
		field("uid", unsafe.Offsetof(p.UID), unsafe.Sizeof(p.UID)),
		field("gid", unsafe.Offsetof(p.GID), unsafe.Sizeof(p.GID)),
		field("cuid", unsafe.Offsetof(p.CUID), unsafe.Sizeof(p.CUID)),
		field("cgid", unsafe.Offsetof(p.CGID), unsafe.Sizeof(p.CGID)),
		field("mode", unsafe.Offsetof(p.Mode), unsafe.Sizeof(p.Mode)),
		field("seq", unsafe.Offsetof(p.Seq), unsafe.Sizeof(p.Seq)))
	var sb sys.Sembuf
	structure("sembuf", unsafe.Sizeof(sb),
		field("sem_num", unsafe.Offsetof(sb.Num), unsafe.Sizeof(sb.Num)),
		field("sem_op", unsafe.Offsetof(sb.Delta), unsafe.Sizeof(sb.Delta)),
		field("sem_flg", unsafe.Offsetof(sb.Flags), unsafe.Sizeof(sb.Flags)))
	var sem sys.SemidDS
	structure("semid64_ds", unsafe.Sizeof(sem),
		field("sem_perm", unsafe.Offsetof(sem.Perm), unsafe.Sizeof(sem.Perm)),
		field("sem_otime", unsafe.Offsetof(sem.Otime), unsafe.Sizeof(sem.Otime)),
		field("sem_ctime", unsafe.Offsetof(sem.Ctime), unsafe.Sizeof(sem.Ctime)),
		field("sem_nsems", unsafe.Offsetof(sem.Nsems), unsafe.Sizeof(sem.Nsems)))
	var si sys.Seminfo
	structure("seminfo", unsafe.Sizeof(si),
		field("semmap", unsafe.Offsetof(si.Semmap), unsafe.Sizeof(si.Semmap)),
		field("semmni", unsafe.Offsetof(si.Semmni), unsafe.Sizeof(si.Semmni)),
		field("semmns", unsafe.Offsetof(si.Semmns), unsafe.Sizeof(si.Semmns)),
		field("semmnu", unsafe.Offsetof(si.Semmnu), unsafe.Sizeof(si.Semmnu)),
		field("semmsl", unsafe.Offsetof(si.Semmsl), unsafe.Sizeof(si.Semmsl)),
		field("semopm", unsafe.Offsetof(si.Semopm), unsafe.Sizeof(si.Semopm)),
		field("semume", unsafe.Offsetof(si.Semume), unsafe.Sizeof(si.Semume)),
		field("semusz", unsafe.Offsetof(si.Semusz), unsafe.Sizeof(si.Semusz)),
		field("semvmx", unsafe.Offsetof(si.Semvmx), unsafe.Sizeof(si.Semvmx)),
		field("semaem", unsafe.Offsetof(si.Semaem), unsafe.Sizeof(si.Semaem)))
	var msg sys.MsqidDS
	structure("msqid64_ds", unsafe.Sizeof(msg),
		field("msg_perm", unsafe.Offsetof(msg.Perm), unsafe.Sizeof(msg.Perm)),
		field("msg_stime", unsafe.Offsetof(msg.Stime), unsafe.Sizeof(msg.Stime)),
		field("msg_rtime", unsafe.Offsetof(msg.Rtime), unsafe.Sizeof(msg.Rtime)),
		field("msg_ctime", unsafe.Offsetof(msg.Ctime), unsafe.Sizeof(msg.Ctime)),
		field("msg_cbytes", unsafe.Offsetof(msg.Cbytes), unsafe.Sizeof(msg.Cbytes)),
		field("msg_qnum", unsafe.Offsetof(msg.Qnum), unsafe.Sizeof(msg.Qnum)),
		field("msg_qbytes", unsafe.Offsetof(msg.Qbytes), unsafe.Sizeof(msg.Qbytes)),
		field("msg_lspid", unsafe.Offsetof(msg.Lspid), unsafe.Sizeof(msg.Lspid)),
		field("msg_lrpid", unsafe.Offsetof(msg.Lrpid), unsafe.Sizeof(msg.Lrpid)))
	var mi sys.Msginfo
	structure("msginfo", unsafe.Sizeof(mi),
		field("msgpool", unsafe.Offsetof(mi.Msgpool), unsafe.Sizeof(mi.Msgpool)),
		field("msgmap", unsafe.Offsetof(mi.Msgmap), unsafe.Sizeof(mi.Msgmap)),
		field("msgmax", unsafe.Offsetof(mi.Msgmax), unsafe.Sizeof(mi.Msgmax)),
		field("msgmnb", unsafe.Offsetof(mi.Msgmnb), unsafe.Sizeof(mi.Msgmnb)),
		field("msgmni", unsafe.Offsetof(mi.Msgmni), unsafe.Sizeof(mi.Msgmni)),
		field("msgssz", unsafe.Offsetof(mi.Msgssz), unsafe.Sizeof(mi.Msgssz)),
		field("msgtql", unsafe.Offsetof(mi.Msgtql), unsafe.Sizeof(mi.Msgtql)),
		field("msgseg", unsafe.Offsetof(mi.Msgseg), unsafe.Sizeof(mi.Msgseg)))
	var shm sys.ShmidDS
	structure("shmid64_ds", unsafe.Sizeof(shm),
		field("shm_perm", unsafe.Offsetof(shm.Perm), unsafe.Sizeof(shm.Perm)),
		field("shm_segsz", unsafe.Offsetof(shm.Segsz), unsafe.Sizeof(shm.Segsz)),
		field("shm_atime", unsafe.Offsetof(shm.Atime), unsafe.Sizeof(shm.Atime)),
		field("shm_dtime", unsafe.Offsetof(shm.Dtime), unsafe.Sizeof(shm.Dtime)),
		field("shm_ctime", unsafe.Offsetof(shm.Ctime), unsafe.Sizeof(shm.Ctime)),
		field("shm_cpid", unsafe.Offsetof(shm.Cpid), unsafe.Sizeof(shm.Cpid)),
		field("shm_lpid", unsafe.Offsetof(shm.Lpid), unsafe.Sizeof(shm.Lpid)),
		field("shm_nattch", unsafe.Offsetof(shm.Nattch), unsafe.Sizeof(shm.Nattch)))
	var hi sys.Shminfo
	structure("shminfo64", unsafe.Sizeof(hi),
		field("shmmax", unsafe.Offsetof(hi.Shmmax), unsafe.Sizeof(hi.Shmmax)),
		field("shmmin", unsafe.Offsetof(hi.Shmmin), unsafe.Sizeof(hi.Shmmin)),
		field("shmmni", unsafe.Offsetof(hi.Shmmni), unsafe.Sizeof(hi.Shmmni)),
		field("shmseg", unsafe.Offsetof(hi.Shmseg), unsafe.Sizeof(hi.Shmseg)),
		field("shmall", unsafe.Offsetof(hi.Shmall), unsafe.Sizeof(hi.Shmall)))
	var use sys.ShmUse
	structure("shm_info", unsafe.Sizeof(use),
		field("used_ids", unsafe.Offsetof(use.UsedIDs), unsafe.Sizeof(use.UsedIDs)),
		field("shm_tot", unsafe.Offsetof(use.Total), unsafe.Sizeof(use.Total)),
		field("shm_rss", unsafe.Offsetof(use.Resident), unsafe.Sizeof(use.Resident)),
		field("shm_swp", unsafe.Offsetof(use.Swapped), unsafe.Sizeof(use.Swapped)),
		field("swap_attempts", unsafe.Offsetof(use.SwapAttempts), unsafe.Sizeof(use.SwapAttempts)),
		field("swap_successes", unsafe.Offsetof(use.SwapSuccesses), unsafe.Sizeof(use.SwapSuccesses)))
	return all
}

// constants are ours, under the names of the kernel.
var constants = map[string]int{
	"IPC_CREAT": sys.IPC_CREAT, "IPC_EXCL": sys.IPC_EXCL, "IPC_NOWAIT": sys.IPC_NOWAIT,
	"IPC_RMID": sys.IPC_RMID, "IPC_SET": sys.IPC_SET, "IPC_STAT": sys.IPC_STAT, "IPC_INFO": sys.IPC_INFO,
	"SEM_UNDO": sys.SEM_UNDO, "GETPID": sys.GETPID, "GETVAL": sys.GETVAL, "GETALL": sys.GETALL,
	"GETNCNT": sys.GETNCNT, "GETZCNT": sys.GETZCNT, "SETVAL": sys.SETVAL, "SETALL": sys.SETALL,
	"SEM_STAT": sys.SEM_STAT, "SEM_INFO": sys.SEM_INFO, "SEM_STAT_ANY": sys.SEM_STAT_ANY,
	"MSG_NOERROR": sys.MSG_NOERROR, "MSG_EXCEPT": sys.MSG_EXCEPT, "MSG_COPY": sys.MSG_COPY,
	"MSG_STAT": sys.MSG_STAT, "MSG_INFO": sys.MSG_INFO, "MSG_STAT_ANY": sys.MSG_STAT_ANY,
	"SHM_HUGETLB": sys.SHM_HUGETLB, "SHM_NORESERVE": sys.SHM_NORESERVE, "SHM_HUGE_SHIFT": sys.SHM_HUGE_SHIFT,
	"SHM_RDONLY": sys.SHM_RDONLY, "SHM_RND": sys.SHM_RND, "SHM_REMAP": sys.SHM_REMAP, "SHM_EXEC": sys.SHM_EXEC,
	"SHM_LOCK": sys.SHM_LOCK, "SHM_UNLOCK": sys.SHM_UNLOCK,
	"SHM_STAT": sys.SHM_STAT, "SHM_INFO": sys.SHM_INFO, "SHM_STAT_ANY": sys.SHM_STAT_ANY,
}

// headers prints what the kernel's own headers say. The C library's, which are
// others, describe the same.
const headers = `#include <stddef.h>
#include <stdio.h>
#include <linux/ipc.h>
#include <linux/msg.h>
#include <linux/sem.h>
#include <linux/shm.h>

int main(void)
{
%s	return 0;
}
`

func TestLayoutsAndConstantsAreThoseOfTheKernelsHeaders(t *testing.T) {
	var body, want strings.Builder
	for _, p := range places() {
		if p.field == "" {
			fmt.Fprintf(&body, "\tprintf(\"%s %%zu\\n\", sizeof(struct %s));\n", p.structure, p.structure)
			fmt.Fprintf(&want, "%s %d\n", p.structure, p.size)
			continue
		}
		fmt.Fprintf(&body, "\tprintf(\"%[1]s.%[2]s %%zu %%zu\\n\", offsetof(struct %[1]s, %[2]s), sizeof(((struct %[1]s *)0)->%[2]s));\n",
			p.structure, p.field)
		fmt.Fprintf(&want, "%s.%s %d %d\n", p.structure, p.field, p.offset, p.size)
	}
	for name, value := range constants {
		fmt.Fprintf(&body, "\tprintf(\"%s %%d\\n\", (int)%s);\n", name, name)
		fmt.Fprintf(&want, "%s %d\n", name, value)
	}
	got, err := exec.Command(testenv.CompileC(t, fmt.Sprintf(headers, body.String()))).Output()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want.String()); diff != "" {
		t.Errorf("(-C +Go):\n%s", diff)
	}
}
