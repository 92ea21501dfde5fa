package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/internal/testenv"
)

// lsipcColumns are all columns of a resource of lsipc, and where our JSON has
// them. Times and the like need more than their name.
var lsipcColumns = map[string]struct {
	option string
	fields map[string]string
}{
	"sysv": {"-m", map[string]string{
		"size": "size", "nattch": "attached", "cpid": "creator_pid", "lpid": "last_pid", "attach": "attach_time", "detach": "detach_time",
		"status": "marks", "command": "creator_command",
	}},
	"sem": {"-s", map[string]string{"nsems": "semaphores", "otime": "op_time"}},
	"msg": {"-q", map[string]string{
		"usedbytes": "bytes", "msgs": "messages", "send": "send_time", "recv": "receive_time", "lspid": "last_send_pid", "lrpid": "last_receive_pid",
	}},
}

// lsipcCommon are the columns of every resource.
var lsipcCommon = map[string]string{
	"key": "key", "id": "id", "owner": "owner", "perms": "mode", "cuid": "creator_uid", "cuser": "creator", "cgid": "creator_gid",
	"cgroup": "creator_group", "uid": "owner_uid", "user": "owner", "gid": "group_gid", "group": "group", "ctime": "change_time",
}

func TestSameAsLsipc(t *testing.T) {
	testenv.RequireTool(t, "lsipc")
	if !testenv.InPrivateIPC(t) {
		return
	}
	crowd(t)
	all := ours(t, "ls")
	for kindName, c := range lsipcColumns {
		t.Run("lsipc "+c.option, func(t *testing.T) {
			var names []string
			fields := map[string]string{}
			for _, m := range []map[string]string{lsipcCommon, c.fields} {
				for name, field := range m {
					names = append(names, strings.ToUpper(name))
					fields[name] = field
				}
			}
			out := tool(t, "lsipc", c.option, "--json", "--bytes", "--notruncate", "--numeric-perms", "--time-format=iso", "--output="+strings.Join(names, ","))
			var report map[string][]map[string]*string
			if err := json.Unmarshal([]byte(out), &report); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			byID := map[string]map[string]*string{}
			for _, list := range report {
				for _, o := range list {
					byID[*o["id"]] = o
				}
			}
			objects := only(all, kindName)
			if len(byID) != len(objects) {
				t.Errorf("lsipc shows %d objects, shmkit %d", len(byID), len(objects))
			}
			for _, f := range objects {
				theirs := byID[f.s("id")]
				if theirs == nil {
					t.Errorf("lsipc does not show %s", f.s("address"))
					continue
				}
				for name, field := range fields {
					got, want := lsipcText(f, field), ""
					if theirs[name] != nil {
						want = *theirs[name]
					}
					switch {
					case name == "perms" && want == "":
						continue // util-linux 2.38 forgets it for queues
					case name == "perms" && want == "0":
						want = "0000"
					case want == "0" && strings.HasSuffix(field, "_pid"):
						want = "" // null
					case field == "creator_command":
						want = normal(want)
					case want == "" && (field == "owner" || field == "group"):
						want = f.s(field) // one without a name; ours is the number, as in their OWNER
						if _, err := strconv.ParseUint(want, 10, 32); err != nil {
							want = ""
						}
					}
					if got != want {
						t.Errorf("%s: %s is %q, lsipc's %s %q", f.s("address"), field, got, name, want)
					}
				}
			}
		})
	}
	t.Run("lsipc -g", sameLimitsAsLsipc)
}

// lsipcText is a field of ours as lsipc would write it.
func lsipcText(f facts, field string) string {
	if field == "marks" {
		var marks []string
		if f.has("removed") {
			marks = append(marks, "dest")
		}
		if f.has("locked") {
			marks = append(marks, "locked")
		}
		return strings.Join(marks, ",")
	}
	text := f.s(field)
	if at, ok := strings.CutSuffix(text, "Z"); ok && strings.HasSuffix(field, "_time") {
		return at + "+00:00"
	}
	return normal(text)
}

func sameLimitsAsLsipc(t *testing.T) {
	var report struct {
		Limits []map[string]string `json:"ipclimits"`
	}
	out := tool(t, "lsipc", "--global", "--json", "--bytes")
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l := limitsByName(t)
	var bytes int64
	for _, f := range ours(t, "ls", "sysv") {
		bytes += f.n(t, "size")
	}
	shown := 0
	for _, theirs := range report.Limits {
		name := theirs["resource"]
		limit, ok := l[name]
		if !ok {
			continue // POSIX queues and the like, in newer versions
		}
		shown++
		used, share := l[name+" used"], "-"
		if name == "SHMALL" {
			// lsipc rounds the sum down; the kernel counts whole pages of each.
			used = fmt.Sprint(bytes / int64(syscall.Getpagesize()))
		}
		if sets := ours(t, "ls", "sem"); name == "SEMMNS" && theirs["used"] != used && len(sets) > 0 {
			// util-linux 2.38 takes every set for as long as the first.
			used = fmt.Sprint(sets[0].n(t, "semaphores") * int64(len(sets)))
		}
		if used == "" {
			used = "-"
		} else {
			u, _ := strconv.ParseFloat(used, 64)
			m, _ := strconv.ParseFloat(limit, 64)
			share = fmt.Sprintf("%.2f%%", 100*u/m)
		}
		want := map[string]string{"resource": name, "limit": limit, "used": used, "use%": share}
		delete(theirs, "description")
		if diff := cmp.Diff(want, theirs); diff != "" {
			t.Errorf("shmkit limits (-), lsipc -g (+):\n%s", diff)
		}
	}
	if shown < 12 {
		t.Errorf("only %d limits compared", shown)
	}
}
