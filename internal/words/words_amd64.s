#include "textflag.h"

TEXT ·Load32(SB), NOSPLIT, $0-12
	MOVQ p+0(FP), BX
	MOVL 0(BX), AX
	MOVL AX, v+8(FP)
	RET

TEXT ·Load64(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), BX
	MOVQ 0(BX), AX
	MOVQ AX, v+8(FP)
	RET

TEXT ·Swap32(SB), NOSPLIT, $0-20
	MOVQ p+0(FP), BX
	MOVL v+8(FP), AX
	XCHGL AX, 0(BX)
	MOVL AX, old+16(FP)
	RET

TEXT ·Swap64(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), BX
	MOVQ v+8(FP), AX
	XCHGQ AX, 0(BX)
	MOVQ AX, old+16(FP)
	RET

TEXT ·Add32(SB), NOSPLIT, $0-20
	MOVQ p+0(FP), BX
	MOVL delta+8(FP), AX
	MOVL AX, CX
	LOCK
	XADDL AX, 0(BX)
	ADDL CX, AX
	MOVL AX, sum+16(FP)
	RET

TEXT ·Add64(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), BX
	MOVQ delta+8(FP), AX
	MOVQ AX, CX
	LOCK
	XADDQ AX, 0(BX)
	ADDQ CX, AX
	MOVQ AX, sum+16(FP)
	RET

TEXT ·CompareAndSwap32(SB), NOSPLIT, $0-17
	MOVQ p+0(FP), BX
	MOVL old+8(FP), AX
	MOVL v+12(FP), CX
	LOCK
	CMPXCHGL CX, 0(BX)
	SETEQ swapped+16(FP)
	RET

TEXT ·CompareAndSwap64(SB), NOSPLIT, $0-25
	MOVQ p+0(FP), BX
	MOVQ old+8(FP), AX
	MOVQ v+16(FP), CX
	LOCK
	CMPXCHGQ CX, 0(BX)
	SETEQ swapped+24(FP)
	RET

// The processor keeps stores in order among each other, and loads, and no store overtakes an
// earlier load.

TEXT ·Release64(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), BX
	MOVQ v+8(FP), AX
	MOVQ AX, 0(BX)
	RET

TEXT ·Release32(SB), NOSPLIT, $0-12
	MOVQ p+0(FP), BX
	MOVL v+8(FP), AX
	MOVL AX, 0(BX)
	RET

TEXT ·CopyIn(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	JMP  copy<>(SB)

TEXT ·CopyOut(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	JMP  copy<>(SB)

// copy copies CX words from SI to DI.
TEXT copy<>(SB), NOSPLIT|NOFRAME, $0-0
	SUBQ $4, CX
	JL   rest
four:
	MOVQ 0(SI), AX
	MOVQ 8(SI), BX
	MOVQ 16(SI), R8
	MOVQ 24(SI), R9
	MOVQ AX, 0(DI)
	MOVQ BX, 8(DI)
	MOVQ R8, 16(DI)
	MOVQ R9, 24(DI)
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $4, CX
	JGE  four
rest:
	ADDQ $4, CX
	JLE  done
one:
	MOVQ 0(SI), AX
	MOVQ AX, 0(DI)
	ADDQ $8, SI
	ADDQ $8, DI
	DECQ CX
	JNZ  one
done:
	RET

TEXT ·Prefetch(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), BX
	MOVQ n+8(FP), CX
line:
	PREFETCHT0 0(BX)
	ADDQ $64, BX
	SUBQ $64, CX
	JG   line
	RET

TEXT ·PrefetchWrite(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), BX
	MOVQ n+8(FP), CX
line:
	BYTE $0x0F; BYTE $0x0D; BYTE $0x0B // PREFETCHW 0(BX), which the assembler does not know
	ADDQ $64, BX
	SUBQ $64, CX
	JG   line
	RET

// The cache line of the word is one that others look at all the time: they fetch it back between any two
// stores to it. So it comes last, all of it at once, and both lines are on their way before: a store waits for those
// in front of it.
TEXT ·PutMessage(SB), NOSPLIT, $0-48
	MOVQ slot+0(FP), DX
	BYTE $0x0F; BYTE $0x0D; BYTE $0x0A // PREFETCHW 0(DX)
	MOVQ src+8(FP), SI
	MOVQ word+16(FP), R10
	MOVQ at+32(FP), R11
	MOVQ n+40(FP), R12
	// How many words stand in the first cache line.
	MOVQ $64, R13
	SUBQ R11, R13
	SHRQ $3, R13
	MOVQ R12, CX
	SUBQ R13, CX
	JLE  first
	BYTE $0x0F; BYTE $0x0D; BYTE $0x4A; BYTE $0x40 // PREFETCHW 64(DX)
	MOVQ R13, R12
	LEAQ 64(DX), DI
	LEAQ 0(SI)(R13*8), SI
	CALL copy<>(SB)
	MOVQ src+8(FP), SI
first:
	LEAQ 0(DX)(R11*1), DI
	MOVQ R12, CX
	MOVQ what+24(FP), R11
	CALL copy<>(SB)
	MOVQ R11, 8(DX)
	MOVQ R10, 0(DX)
	RET
