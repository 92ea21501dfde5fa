#include "textflag.h"

// Exclusive loads and stores: the atomic instructions of ARMv8.1 are not everywhere.

TEXT ·Load32(SB), NOSPLIT, $0-12
	MOVD p+0(FP), R0
	LDARW (R0), R1
	MOVW R1, v+8(FP)
	RET

TEXT ·Load64(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	LDAR (R0), R1
	MOVD R1, v+8(FP)
	RET

TEXT ·Swap32(SB), NOSPLIT, $0-20
	MOVD p+0(FP), R0
	MOVW v+8(FP), R1
again:
	LDAXRW (R0), R2
	STLXRW R1, (R0), R3
	CBNZ R3, again
	MOVW R2, old+16(FP)
	RET

TEXT ·Swap64(SB), NOSPLIT, $0-24
	MOVD p+0(FP), R0
	MOVD v+8(FP), R1
again:
	LDAXR (R0), R2
	STLXR R1, (R0), R3
	CBNZ R3, again
	MOVD R2, old+16(FP)
	RET

TEXT ·Add32(SB), NOSPLIT, $0-20
	MOVD p+0(FP), R0
	MOVW delta+8(FP), R1
again:
	LDAXRW (R0), R2
	ADDW R1, R2
	STLXRW R2, (R0), R3
	CBNZ R3, again
	MOVW R2, sum+16(FP)
	RET

TEXT ·Add64(SB), NOSPLIT, $0-24
	MOVD p+0(FP), R0
	MOVD delta+8(FP), R1
again:
	LDAXR (R0), R2
	ADD R1, R2
	STLXR R2, (R0), R3
	CBNZ R3, again
	MOVD R2, sum+16(FP)
	RET

TEXT ·CompareAndSwap32(SB), NOSPLIT, $0-17
	MOVD p+0(FP), R0
	MOVW old+8(FP), R1
	MOVW v+12(FP), R2
again:
	LDAXRW (R0), R3
	CMPW R1, R3
	BNE differs
	STLXRW R2, (R0), R3
	CBNZ R3, again
differs:
	CSET EQ, R0
	MOVB R0, swapped+16(FP)
	RET

TEXT ·CompareAndSwap64(SB), NOSPLIT, $0-25
	MOVD p+0(FP), R0
	MOVD old+8(FP), R1
	MOVD v+16(FP), R2
again:
	LDAXR (R0), R3
	CMP R1, R3
	BNE differs
	STLXR R2, (R0), R3
	CBNZ R3, again
differs:
	CSET EQ, R0
	MOVB R0, swapped+24(FP)
	RET

TEXT ·Release64(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD v+8(FP), R1
	STLR R1, (R0)
	RET

TEXT ·Release32(SB), NOSPLIT, $0-12
	MOVD p+0(FP), R0
	MOVW v+8(FP), R1
	STLRW R1, (R0)
	RET

// The barrier in front keeps the words behind what was written before; what comes next releases.
TEXT ·CopyIn(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD n+16(FP), R2
	DMB  $0xb // ISH
	CMP  $1, R2
	BLT  done
again:
	MOVD.P 8(R1), R3
	MOVD.P R3, 8(R0)
	SUBS $1, R2
	BNE  again
done:
	RET

// The barrier behind keeps what is read next behind the words.
TEXT ·CopyOut(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD n+16(FP), R2
	CMP  $1, R2
	BLT  done
again:
	MOVD.P 8(R1), R3
	MOVD.P R3, 8(R0)
	SUBS $1, R2
	BNE  again
done:
	DMB  $0x9 // ISHLD
	RET

TEXT ·Prefetch(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1
line:
	PRFM (R0), PLDL1KEEP
	ADD  $64, R0
	SUBS $64, R1
	BGT  line
	RET

TEXT ·PrefetchWrite(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1
line:
	PRFM (R0), PSTL1KEEP
	ADD  $64, R0
	SUBS $64, R1
	BGT  line
	RET

TEXT ·PutMessage(SB), NOSPLIT, $0-48
	MOVD slot+0(FP), R4
	MOVD src+8(FP), R1
	MOVD word+16(FP), R5
	MOVD what+24(FP), R6
	MOVD at+32(FP), R0
	MOVD n+40(FP), R2
	DMB  $0xb // ISH
	MOVD R6, 8(R4)
	ADD  R4, R0
	CMP  $1, R2
	BLT  done
again:
	MOVD.P 8(R1), R3
	MOVD.P R3, 8(R0)
	SUBS $1, R2
	BNE  again
done:
	STLR R5, (R4)
	RET
