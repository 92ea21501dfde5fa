package sys

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// FileSystemUse is how full a file system is.
type FileSystemUse struct {
	Bytes, FreeBytes uint64 // both 0: it has no limit of its own, as a tmpfs with size=0
	Files, FreeFiles uint64 // inodes; both 0: no limit
}

// UseOfFileSystem is statfs(2) on a path.
func UseOfFileSystem(path string) (FileSystemUse, error) {
	var st unix.Statfs_t
	for {
		if err := unix.Statfs(path, &st); err != unix.EINTR {
			block := uint64(st.Bsize)
			return FileSystemUse{st.Blocks * block, st.Bfree * block, st.Files, st.Ffree}, err
		}
	}
}

// fileSystemNames are how mount(8) calls them. ext2, ext3 and ext4 have one number.
var fileSystemNames = map[uint32]string{
	unix.TMPFS_MAGIC: "tmpfs", unix.RAMFS_MAGIC: "ramfs", unix.HUGETLBFS_MAGIC: "hugetlbfs", unix.EXT4_SUPER_MAGIC: "ext4",
	unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.F2FS_SUPER_MAGIC: "f2fs",
	unix.NFS_SUPER_MAGIC: "nfs", unix.SMB2_SUPER_MAGIC: "cifs", unix.CEPH_SUPER_MAGIC: "ceph", unix.FUSE_SUPER_MAGIC: "fuse",
	unix.V9FS_MAGIC: "9p", unix.MSDOS_SUPER_MAGIC: "vfat", unix.EXFAT_SUPER_MAGIC: "exfat", unix.SQUASHFS_MAGIC: "squashfs",
	unix.PROC_SUPER_MAGIC: "proc", unix.SYSFS_MAGIC: "sysfs", 0x2fc12fc1: "zfs", 0xca451a4e: "bcachefs",
}

// FileSystemName is the usual name of a file system by its number in the answer of
// FileSystem; the number, if it has none here.
func FileSystemName(magic int64) string {
	if name, ok := fileSystemNames[uint32(magic)]; ok {
		return name
	}
	return fmt.Sprintf("%#x", uint32(magic))
}

// DeviceNumber returns the two numbers of a device of struct stat.
func DeviceNumber(device uint64) (major, minor uint32) {
	return unix.Major(device), unix.Minor(device)
}

// FileSystemOf returns the number of the file system that a path is on: statfs(2).
func FileSystemOf(path string) (magic int64, err error) {
	var st unix.Statfs_t
	for {
		if err = unix.Statfs(path, &st); err != unix.EINTR {
			return int64(st.Type), err
		}
	}
}
