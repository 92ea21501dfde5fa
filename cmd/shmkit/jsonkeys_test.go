package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/shmtest"
)

// What is the same of objects of several kinds has one name, and what there is none of is null.
func TestKeysMeanTheSameForEveryKind(t *testing.T) {
	t.Setenv("SHMKIT_DIR", shmtest.Dir(t))
	name, key := testenv.Name(t), fmt.Sprintf("%#x", uint32(testenv.KeyLeakChecked(t)))
	made := map[string][]string{
		"sysv:" + key: {"--size", "4K"}, "sem:" + key: {"--count", "1"}, "msg:" + key: nil, "posix:/" + name: {"--size", "4K"},
		"file:" + t.TempDir() + "/f": {"--size", "4K"}, "lock:" + name: nil, "queue:" + name: nil, "topic:" + name: nil,
	}
	for address, flags := range made {
		if r := runKinds(t, append([]string{"create", address}, flags...)...); r.code != exitDone {
			t.Fatal(r.err)
		}
		f := kindFacts(t, "stat", address)[0]
		for _, key := range []string{"kind", "address", "owner", "owner_uid", "group", "group_gid", "mode", "in_use", "users"} {
			if f[key] == nil {
				t.Errorf("%s has no %q", address, key)
			}
		}
		if f.n(t, "owner_uid") != int64(os.Geteuid()) || f.s("mode") != "0600" && f.s("mode") != "0644" {
			t.Errorf("%s: owner %s, mode %s", address, f.s("owner_uid"), f.s("mode"))
		}
		for key, v := range f {
			if slices.Contains([]string{"uid", "gid", "created", "dead"}, key) {
				t.Errorf("%s has %q, which is called otherwise elsewhere", address, key)
			}
			if strings.HasSuffix(key, "pid") && key != "creator_pid" && fmt.Sprint(v) == "0" {
				t.Errorf("%s: %q is 0", address, key)
			}
		}
		if holder, told := f["holder_pid"]; strings.HasPrefix(address, "lock:") && (!told || holder != nil || f["holder_command"] != nil) {
			t.Errorf("a free lock is held by %v, %v", holder, f["holder_command"])
		}
		if r := runKinds(t, "rm", address); r.code != exitDone {
			t.Error(r.err)
		}
	}
}

func TestWhatIsNoObjectIsToldOnce(t *testing.T) {
	dir := shmtest.Dir(t)
	t.Setenv("SHMKIT_DIR", dir)
	if err := os.WriteFile(dir+"/lock.junk", []byte(strings.Repeat("nonsense", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir + "/lock.junk")
	const why = `it is no object of shmkit: it begins with "nonsense", where an object begins with "shmkitO1": something else made `
	r := runKinds(t, "stat", "lock:junk")
	if r.code != exitDone || strings.Count(r.out, "no object of shmkit") != 1 || !strings.Contains(r.out, "  type            unknown: "+why+dir+"/lock.junk; ") {
		t.Errorf("%+v", r)
	}
	for _, invented := range []string{"never", "slots  ", "persistent  "} {
		if strings.Contains(r.out, invented) {
			t.Errorf("%q is told of it:\n%s", invented, r.out)
		}
	}
	if r = runKinds(t, "ls"); !regexp.MustCompile("unseen +"+regexp.QuoteMeta(why)).MatchString(r.out) || strings.Contains(r.out, "ready") {
		t.Errorf("%+v", r)
	}
	if r = runKinds(t, "run", "--lock", "junk", "--", "true"); r.code != exitFailed || !strings.HasPrefix(r.err, "shmkit run: open lock:junk: "+why) {
		t.Errorf("%+v", r)
	}
}
