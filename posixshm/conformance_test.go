package posixshm_test

import (
	"os"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/posixshm"
)

// What the Open POSIX test suite (of the Linux Test Project) asserts of shm_open and
// shm_unlink, and where it is asserted here.
//
//	shm_open 8-1         the lowest descriptor           TestHandleIsTheLowestDescriptor
//	shm_open 11-1        FD_CLOEXEC                      TestHandlesAreNotInherited
//	shm_open 18-1        mode & ~umask                   TestModeAndUmask, TestModeIsThatOfShmOpen
//	shm_open 21-1        new size 0                      TestNewObjectOfNoSize
//	shm_open 22-1        O_EXCL of what exists: EEXIST   TestCreateOfWhatExists
//	shm_open 23-1        O_EXCL: one of N processes wins TestManyCreateOneName
//	shm_open 25-1, 26-*  O_TRUNC keeps owner and mode    TestResizeToNothingKeepsOwnerAndMode (there is no O_TRUNC:
//	                                                     it would be a fault to all who have it mapped; Resize(0) is it)
//	shm_open 32-1, 34-1  other user: EACCES              TestObjectsOfOtherUsers
//	shm_open 37-1        EINVAL for names, if anything   TestNames, TestNamesAreThoseOfShmOpen
//	shm_open 38-1        EMFILE                          TestNoDescriptorLeft
//	shm_open 39-1        longer than NAME_MAX            TestNames
//	shm_open 41-1        ENOENT                          TestNames
//	shm_unlink 1 to 11   mappings and handles live on    TestRemovedObjectLivesOnInItsMappings
//	                     the name is gone; again ENOENT  TestRemovedObjectLivesOnInItsMappings
//	                     recreated is a new object       TestRemovedObjectLivesOnInItsMappings
//	                     EACCES, EPERM                   TestObjectsOfOtherUsers
//	                     names                           TestNames
//
// The owner of a new object is the effective user: TestNewObjectOfNoSize.

func TestNewObjectOfNoSize(t *testing.T) {
	name := freeName(t)
	p := startAgent(t, nil)
	a := ask(t, p, order{Do: "create", Name: name, Mode: 0o644, Umask: 0o22})
	obj := open(t, posixshm.Default, name, nil)
	if info := stat(t, obj); a.Error != "" || info.Size != 0 || info.Allocated != 0 || info.Mode != 0o644 || !a.Created || info.UID != a.Info.UID {
		t.Errorf("%+v, %+v", a, info)
	}
	ok(t, obj.Remove())
	if os.Geteuid() == 0 {
		nobody := testenv.Nobody(t)
		if a := asOtherUser(t, order{Do: "create", Name: name}); a.Error != "" || a.Info.UID != nobody.Uid || a.Info.GID != nobody.Gid {
			t.Errorf("%+v", a)
		}
	}
}
