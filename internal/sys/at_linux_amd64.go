package sys

import "golang.org/x/sys/unix"

// sysFstatat is the number of fstatat, which goes by other names.
const sysFstatat = unix.SYS_NEWFSTATAT
