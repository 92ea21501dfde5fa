#include "textflag.h"

// func Pause()
TEXT ·Pause(SB), NOSPLIT, $0-0
	PAUSE
	RET

// func await(w *words.Uint64, v uint64, looks, pauses int) (left int)
TEXT ·await(SB), NOSPLIT, $0-40
	MOVQ w+0(FP), BX
	MOVQ v+8(FP), CX
	MOVQ looks+16(FP), DX
look:
	MOVQ 0(BX), AX
	SUBQ CX, AX
	TESTQ AX, AX
	JGT  seen
	MOVQ pauses+24(FP), SI
pause:
	PAUSE
	DECQ SI
	JGT  pause
	DECQ DX
	JGT  look
seen:
	MOVQ DX, left+32(FP)
	RET
