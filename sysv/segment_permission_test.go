package sysv_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

func TestAnotherUserIsRefusedWhatTheModeDoesNotGrant(t *testing.T) {
	seg := newSegment(t, 100, 0o600)
	nobody := startNobody(t)
	open := func(mode string) string { return fmt.Sprintf("open %d 0 %s", seg.Key(), mode) }
	who := []string{address(seg.Key()), "uid 0 gid 0", "mode 0600", "uid 65534"}

	// Permissions that are asked for are looked at when opening, …
	for _, mode := range []string{"0600", "0400", "0200", "0004", "0444"} {
		nobody.failsTo(open(mode), accessDenied, append(who, "open segment")...)
	}
	// … others when attaching.
	nobody.does(open("0"))
	nobody.failsTo("attach", accessDenied, append(who, "attach segment")...)
	nobody.failsTo("attach-ro", accessDenied, append(who, "attach segment")...)
	nobody.failsTo("stat", accessDenied, append(who, "stat segment")...)
	wantAttached(t, seg, 0)

	ok(t, seg.SetMode(0o604))
	nobody.does(open("0004"))
	nobody.failsTo(open("0006"), accessDenied, "mode 0604")
	nobody.does("attach-ro")
	nobody.does("stat")
	nobody.failsTo("attach", accessDenied, "mode 0604")
	ok(t, seg.SetMode(0o602))
	nobody.failsTo("attach", accessDenied, "mode 0602") // writing is reading too
	ok(t, seg.SetMode(0o606))
	nobody.does("attach")
	nobody.does("write hello")
	wantAttached(t, seg, 2)
	ok(t, seg.SetMode(0))
	nobody.does("write still") // what is attached stays
}

func TestTheGroupHasItsOwnBits(t *testing.T) {
	seg := newSegment(t, 100, 0o640)
	nobody := startNobody(t)
	nobody.does(fmt.Sprintf("open-id %d", seg.ID()))
	nobody.failsTo("attach-ro", accessDenied)
	ok(t, seg.SetOwner(-1, int(testenv.Nobody(t).Gid)))
	nobody.does("attach-ro")
	nobody.failsTo("attach", accessDenied, "gid 65534", "mode 0640")
	// Bits of the group count for its members, even where others have more.
	ok(t, seg.SetMode(0o606))
	nobody.failsTo("attach-ro", accessDenied, "mode 0606")
}

func TestOnlyOwnerCreatorAndRootControl(t *testing.T) {
	seg := newSegment(t, 100, 0o666)
	nobody := startNobody(t)
	nobody.does(fmt.Sprintf("open %d 0 0666", seg.Key()))
	for command, op := range map[string]string{
		"set-mode 0600":     "set mode of",
		"set-owner 65534 0": "set owner of",
		"remove":            "remove",
		"lock":              "lock",
		"unlock":            "unlock",
	} {
		nobody.failsTo(command, notOwner, op+" segment "+seg.String(), "uid 0 gid 0", "mode 0666", "uid 65534", "only owner, creator or root")
	}
	info := stat(t, seg)
	if info.Removed || info.Locked || info.Mode != 0o666 || info.UID != 0 {
		t.Errorf("something was done all the same: %+v", info)
	}
	// An unreadable one as well: EPERM, not EACCES.
	ok(t, seg.SetMode(0o600))
	nobody.failsTo("set-mode 0666", notOwner, "mode 0600")
	nobody.failsTo("remove", notOwner, "mode 0600")

	// The new owner may do everything, …
	ok(t, seg.SetOwner(65534, -1))
	nobody.does("set-mode 0640")
	nobody.does("lock")
	nobody.does("unlock")
	nobody.does("attach")
	nobody.does("remove")
	if info := stat(t, seg); !info.Removed || info.Mode != 0o640 || info.CreatorUID != 0 {
		t.Errorf("got %+v", info)
	}
}

func TestTheCreatorKeepsItsRights(t *testing.T) {
	nobody := startNobody(t)
	key := freeKey(t)
	var id int
	_, err := fmt.Sscan(nobody.does(fmt.Sprintf("create %d 100 0600", key)), &id)
	ok(t, err)
	seg, err := sysv.OpenID(id)
	ok(t, err)
	if info := stat(t, seg); info.UID != 65534 || info.CreatorUID != 65534 || info.CreatorGID != 65534 || info.CreatorPID != nobody.Pid() {
		t.Errorf("made by nobody: %+v", info)
	}
	ok(t, seg.SetOwner(12345, 12345))
	nobody.does("attach") // the owner's bits are the creator's too
	nobody.does("set-mode 0700")
	nobody.does("lock")
	nobody.does("unlock")
	if info := stat(t, seg); info.UID != 12345 || info.Mode != 0o700 {
		t.Errorf("got %+v", info)
	}
	nobody.does("remove")
}

func TestAnIdentifierIsEnoughToOpen(t *testing.T) {
	seg := newSegment(t, 100, 0o600)
	nobody := startNobody(t)
	if key := nobody.does(fmt.Sprintf("open-id %d", seg.ID())); key != fmt.Sprint(int32(seg.Key())) {
		t.Errorf("opened by id, what may not be read has the key %s, want %d", key, seg.Key())
	}
	nobody.failsTo("attach", accessDenied, address(seg.Key()))
}

func TestMessagesNameOwnerAndCreator(t *testing.T) {
	seg := newSegment(t, 100, 0o600)
	ok(t, seg.SetOwner(111, 222))
	nobody := startNobody(t)
	nobody.does(fmt.Sprintf("open-id %d", seg.ID()))
	nobody.failsTo("attach", accessDenied, "uid 111 gid 222", "made by uid 0 gid 0", "mode 0600", "process is uid 65534 gid 65534")
}

// Root is what its capabilities make it.
func TestCapabilitiesDecideWhatRootMayDo(t *testing.T) {
	nobody := startNobody(t)
	key := freeKey(t)
	nobody.does(fmt.Sprintf("create %d 100 0600", key))
	open := fmt.Sprintf("open %d 0 0", key)

	all := startOther(t, nil)
	all.does(open)
	all.does("attach")
	all.does("close")

	noOwner := startOther(t, &testenv.StartOptions{DropCaps: []testenv.Capability{testenv.CapIPCOwner}})
	noOwner.does(open)
	noOwner.failsTo("attach", accessDenied, "uid 65534 gid 65534", "mode 0600", "process is uid 0")
	noOwner.failsTo("stat", accessDenied)
	noOwner.does("set-mode 0640") // that is CAP_SYS_ADMIN's
	noOwner.does("lock")          // and that CAP_IPC_LOCK's
	noOwner.does("unlock")

	none := startOther(t, &testenv.StartOptions{DropCaps: []testenv.Capability{
		testenv.CapIPCOwner, testenv.CapSysAdmin, testenv.CapIPCLock,
	}})
	none.does(open)
	none.failsTo("attach", accessDenied)
	none.failsTo("set-mode 0600", notOwner, "mode 0640")
	none.failsTo("set-owner 0 0", notOwner)
	none.failsTo("lock", notOwner)
	none.failsTo("remove", notOwner, "only owner, creator or root")

	noOwner.does("remove")
}

func TestLockingNeedsRoomInTheLimit(t *testing.T) {
	nobody := startNobody(t)
	nobody.does(fmt.Sprintf("create %d %d 0600", freeKey(t), 1<<20))
	nobody.does("limit-locked 65536")
	nobody.failsTo("lock", noMemory, "lock segment", "RLIMIT_MEMLOCK", "ulimit -l")
	nobody.does(fmt.Sprintf("create %d 65536 0600", freeKey(t)))
	nobody.does("lock")
	nobody.does("unlock")
	nobody.does("limit-locked 0")
	nobody.failsTo("lock", notOwner, "lock segment", "RLIMIT_MEMLOCK", "is 0")
	nobody.does("unlock")
}

func TestListingNeedsNoPermission(t *testing.T) {
	// Seen by nobody are segments of root, of mode 0, and its own.
	roots, closed := newSegment(t, 1111, 0o600), newSegment(t, 2222, 0)
	ok(t, closed.SetOwner(7, 8))
	nobody := startNobody(t)
	key := freeKey(t)
	nobody.does(fmt.Sprintf("create %d 3333 0600", key))
	list := nobody.does("list")
	for _, want := range []string{
		fmt.Sprintf("{Permission:{Key:%v ID:%d UID:0 GID:0", roots.Key(), roots.ID()),
		fmt.Sprintf("{Permission:{Key:%v ID:%d UID:7 GID:8 CreatorUID:0 CreatorGID:0 Mode:----------", closed.Key(), closed.ID()),
		fmt.Sprintf("{Permission:{Key:%v ", key),
		"Size:1111 ", "Size:2222 ", "Size:3333 ", fmt.Sprintf("CreatorPID:%d ", os.Getpid()),
	} {
		if !strings.Contains(list, want) {
			t.Errorf("nobody's list has no %q:\n%s", want, list)
		}
	}
}
