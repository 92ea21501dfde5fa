#include "textflag.h"

// YIELD, the instruction meant for this, does nothing on most processors. ISB empties
// the pipeline, which takes about as long as PAUSE does.
//
// func Pause()
TEXT ·Pause(SB), NOSPLIT, $0-0
	ISB $15
	RET

// func await(w *words.Uint64, v uint64, looks, pauses int) (left int)
TEXT ·await(SB), NOSPLIT, $0-40
	MOVD w+0(FP), R0
	MOVD v+8(FP), R1
	MOVD looks+16(FP), R2
look:
	LDAR (R0), R3
	SUB  R1, R3
	CMP  $0, R3
	BGT  seen
	MOVD pauses+24(FP), R4
pause:
	ISB  $15
	SUBS $1, R4
	BGT  pause
	SUBS $1, R2
	BGT  look
	MOVD ZR, R2
seen:
	MOVD R2, left+32(FP)
	RET
