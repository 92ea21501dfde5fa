#include "textflag.h"

// YIELD, the instruction meant for this, does nothing on most processors. ISB empties
// the pipeline, which takes about as long as PAUSE does.
//
// func Pause()
TEXT ·Pause(SB), NOSPLIT, $0-0
	ISB $15
	RET
