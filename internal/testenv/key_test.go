package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/internal/sys"
)

func TestKeysDifferAndAreOurs(t *testing.T) {
	seen := map[int32]bool{}
	for range 100 {
		key := Key(t)
		if key == 0 || seen[key] || !ownKey(key) {
			t.Errorf("key 0x%08x: seen %t, own %t", uint32(key), seen[key], ownKey(key))
		}
		seen[key] = true
	}
}

func TestKeyIsFreeAgainAfterTheTest(t *testing.T) {
	for range 2 << keyCounterBits { // more than there are
		key := keys.take(t)
		keys.release(key)
	}
}

func TestKeyInUseIsNotGivenOut(t *testing.T) {
	if ownKey(0) {
		t.Error("IPC_PRIVATE is nobody's key")
	}
	key := Key(t)
	shmget(t, key)
	keys.release(key) // as if an earlier test process with this pid had left the segment
	for range 1<<keyCounterBits - 1 {
		other := keys.take(t)
		if other == key {
			t.Fatalf("0x%08x was given out although a segment has it", uint32(key))
		}
		defer keys.release(other)
	}
}

func TestKeyRemovesAllKinds(t *testing.T) {
	var key int32
	t.Run("make", func(t *testing.T) {
		key = Key(t)
		shmget(t, key)
		if _, err := sys.Semget(key, 1, sys.IPC_CREAT|0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sys.Msgget(key, sys.IPC_CREAT|0o600); err != nil {
			t.Fatal(err)
		}
		kinds := map[Kind]int{}
		for _, id := range mustSysVIDs(t) {
			if id.Key == key {
				kinds[id.Kind]++
			}
		}
		if diff := cmp.Diff(map[Kind]int{Shm: 1, Sem: 1, Msg: 1}, kinds); diff != "" {
			t.Errorf("objects under the key (-want +got):\n%s", diff)
		}
	})
	for _, id := range mustSysVIDs(t) {
		if id.Key == key {
			t.Errorf("still there: %v", id)
		}
	}
}

func TestKeyIsSilentAndKeyLeakCheckedIsNot(t *testing.T) {
	if output, err := play(t, "key left"); err != nil {
		t.Errorf("Key: %v\n%s", err, output)
	}
	output := mustFail(t, "checked key left", "the test left behind: System V shm id ")
	if strings.Contains(output, "the tests left behind") {
		t.Errorf("the segment wasn't removed:\n%s", output)
	}
}

func TestRemoveTwiceIsNoError(t *testing.T) {
	id := SysVID{Kind: Shm, ID: shmget(t, Key(t))}
	for range 2 {
		if err := id.Remove(); err != nil {
			t.Error(err)
		}
	}
}

func TestParseSysVIDs(t *testing.T) {
	const table = `       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap
     24301          3   600                  4096   812   900      0     0     0     0     0 1700000000 1700000001 1700000000                  4096                     0
-559038737      32771  1600                  8192  4000     0      1  1000  1000  1000  1000          0          0 1700000000                     0                     0
`
	got, err := parseSysVIDs(Shm, []byte(table))
	want := []SysVID{{Shm, 24301, 3, 812}, {Shm, -559038737, 32771, 4000}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if text, want := got[1].String(), "System V shm id 32771 key 0xdeadbeef made by pid 4000"; text != want {
		t.Errorf("%q, want %q", text, want)
	}
	for _, bad := range []string{"h\n1 2 3\n", "h\nx 2 3 4 5\n", "h\n1 x 3 4 5\n", "h\n1 2 3 4 x\n", "h\n99999999999 2 3 4 5\n"} {
		if got, err := parseSysVIDs(Shm, []byte(bad)); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func TestNameIsRemoved(t *testing.T) {
	var path string
	t.Run("make", func(t *testing.T) {
		name := Name(t)
		if other := Name(t); other == name {
			t.Errorf("%s twice", name)
		}
		path = filepath.Join(shmDir, name)
		if err := os.MkdirAll(filepath.Join(path, "inner"), 0o700); err != nil {
			t.Fatal(err)
		}
		own, err := ownNames()
		if diff := cmp.Diff([]string{name}, own); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("%s: %v", path, err)
	}
}
