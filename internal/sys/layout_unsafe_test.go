package sys

import "unsafe"

// The layouts that are the same on every 64-bit Linux. A wrong one does not
// compile, and so is found for an architecture that no test runs on: the index
// has to be 0. SemidDS stands in a file for each architecture.

func _() {
	var zero [1]struct{}

	_ = zero[unsafe.Sizeof(IPCPerm{})-48]
	_ = zero[unsafe.Offsetof(IPCPerm{}.Key)-0]
	_ = zero[unsafe.Offsetof(IPCPerm{}.UID)-4]
	_ = zero[unsafe.Offsetof(IPCPerm{}.GID)-8]
	_ = zero[unsafe.Offsetof(IPCPerm{}.CUID)-12]
	_ = zero[unsafe.Offsetof(IPCPerm{}.CGID)-16]
	_ = zero[unsafe.Offsetof(IPCPerm{}.Mode)-20]
	_ = zero[unsafe.Offsetof(IPCPerm{}.Seq)-24]

	_ = zero[unsafe.Sizeof(Sembuf{})-6]
	_ = zero[unsafe.Offsetof(Sembuf{}.Num)-0]
	_ = zero[unsafe.Offsetof(Sembuf{}.Delta)-2]
	_ = zero[unsafe.Offsetof(Sembuf{}.Flags)-4]

	_ = zero[unsafe.Sizeof(Seminfo{})-40]
	_ = zero[unsafe.Offsetof(Seminfo{}.Semmap)-0]
	_ = zero[unsafe.Offsetof(Seminfo{}.Semmni)-4]
	_ = zero[unsafe.Offsetof(Seminfo{}.Semmns)-8]
	_ = zero[unsafe.Offsetof(Seminfo{}.Semmnu)-12]
	_ = zero[unsafe.Offsetof(Seminfo{}.Semmsl)-16]
	_ = zero[unsafe.Offsetof(Seminfo{}.Semopm)-20]
	_ = zero[unsafe.Offsetof(Seminfo{}.Semume)-24]
	_ = zero[unsafe.Offsetof(Seminfo{}.Semusz)-28]
	_ = zero[unsafe.Offsetof(Seminfo{}.Semvmx)-32]
	_ = zero[unsafe.Offsetof(Seminfo{}.Semaem)-36]

	_ = zero[unsafe.Sizeof(MsqidDS{})-120]
	_ = zero[unsafe.Offsetof(MsqidDS{}.Perm)-0]
	_ = zero[unsafe.Offsetof(MsqidDS{}.Stime)-48]
	_ = zero[unsafe.Offsetof(MsqidDS{}.Rtime)-56]
	_ = zero[unsafe.Offsetof(MsqidDS{}.Ctime)-64]
	_ = zero[unsafe.Offsetof(MsqidDS{}.Cbytes)-72]
	_ = zero[unsafe.Offsetof(MsqidDS{}.Qnum)-80]
	_ = zero[unsafe.Offsetof(MsqidDS{}.Qbytes)-88]
	_ = zero[unsafe.Offsetof(MsqidDS{}.Lspid)-96]
	_ = zero[unsafe.Offsetof(MsqidDS{}.Lrpid)-100]

	_ = zero[unsafe.Sizeof(Msginfo{})-32]
	_ = zero[unsafe.Offsetof(Msginfo{}.Msgpool)-0]
	_ = zero[unsafe.Offsetof(Msginfo{}.Msgmap)-4]
	_ = zero[unsafe.Offsetof(Msginfo{}.Msgmax)-8]
	_ = zero[unsafe.Offsetof(Msginfo{}.Msgmnb)-12]
	_ = zero[unsafe.Offsetof(Msginfo{}.Msgmni)-16]
	_ = zero[unsafe.Offsetof(Msginfo{}.Msgssz)-20]
	_ = zero[unsafe.Offsetof(Msginfo{}.Msgtql)-24]
	_ = zero[unsafe.Offsetof(Msginfo{}.Msgseg)-28]

	_ = zero[unsafe.Sizeof(ShmidDS{})-112]
	_ = zero[unsafe.Offsetof(ShmidDS{}.Perm)-0]
	_ = zero[unsafe.Offsetof(ShmidDS{}.Segsz)-48]
	_ = zero[unsafe.Offsetof(ShmidDS{}.Atime)-56]
	_ = zero[unsafe.Offsetof(ShmidDS{}.Dtime)-64]
	_ = zero[unsafe.Offsetof(ShmidDS{}.Ctime)-72]
	_ = zero[unsafe.Offsetof(ShmidDS{}.Cpid)-80]
	_ = zero[unsafe.Offsetof(ShmidDS{}.Lpid)-84]
	_ = zero[unsafe.Offsetof(ShmidDS{}.Nattch)-88]

	_ = zero[unsafe.Sizeof(Shminfo{})-72]
	_ = zero[unsafe.Offsetof(Shminfo{}.Shmmax)-0]
	_ = zero[unsafe.Offsetof(Shminfo{}.Shmmin)-8]
	_ = zero[unsafe.Offsetof(Shminfo{}.Shmmni)-16]
	_ = zero[unsafe.Offsetof(Shminfo{}.Shmseg)-24]
	_ = zero[unsafe.Offsetof(Shminfo{}.Shmall)-32]

	_ = zero[unsafe.Sizeof(ShmUse{})-48]
	_ = zero[unsafe.Offsetof(ShmUse{}.UsedIDs)-0]
	_ = zero[unsafe.Offsetof(ShmUse{}.Total)-8]
	_ = zero[unsafe.Offsetof(ShmUse{}.Resident)-16]
	_ = zero[unsafe.Offsetof(ShmUse{}.Swapped)-24]
	_ = zero[unsafe.Offsetof(ShmUse{}.SwapAttempts)-32]
	_ = zero[unsafe.Offsetof(ShmUse{}.SwapSuccesses)-40]

	_ = zero[unsafe.Sizeof(int64(0))-MsgHeader] // long mtype

	_ = zero[unsafe.Sizeof(PageRegion{})-24]
	_ = zero[unsafe.Sizeof(pmScanArg{})-96]
	_ = zero[unsafe.Offsetof(pmScanArg{}.walkEnd)-32]
	_ = zero[unsafe.Offsetof(pmScanArg{}.vec)-40]
	_ = zero[unsafe.Offsetof(pmScanArg{}.maxPages)-56]
	_ = zero[unsafe.Offsetof(pmScanArg{}.categoryAnyofMask)-80]
	_ = zero[unsafe.Offsetof(pmScanArg{}.returnMask)-88]
	_ = zero[pagemapScan-0xc0606610]
}
