package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
)

// postgres is a server that listens on a socket of a directory of its own.
type postgres struct {
	dir  string
	user *syscall.Credential
	cmd  *exec.Cmd
	errs bytes.Buffer
	done chan struct{}
}

// postgresPath adds where Debian has the server's programs, which only its scripts call.
func postgresPath(t *testing.T) {
	t.Helper()
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", strings.Join(append(dirs, os.Getenv("PATH")), ":"))
	for _, program := range []string{"initdb", "postgres", "psql"} {
		testenv.RequireTool(t, program)
	}
}

// startPostgres makes a cluster and starts the server, which is asked to end when the test does, or
// dies.
func startPostgres(t *testing.T, settings ...string) *postgres {
	t.Helper()
	postgresPath(t)
	p := &postgres{done: make(chan struct{})}
	p.dir, p.user = anothersDir(t)
	data := filepath.Join(p.dir, "data")
	initdb := p.command("initdb", "-D", data, "-U", "shmkit", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	var out bytes.Buffer
	initdb.Stdout, initdb.Stderr = &out, &out
	if err := testenv.RunCommand(initdb); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out.String())
	}
	args := []string{"-D", data, "-k", p.dir}
	for _, s := range append([]string{
		"listen_addresses=", "fsync=off", "autovacuum=off", "shared_buffers=16MB", "max_connections=20", "max_logical_replication_workers=0",
		"dynamic_shared_memory_type=posix", "logging_collector=off", "huge_pages=off",
	}, settings...) {
		args = append(args, "-c", s)
	}
	before := sharedNames(t, "PostgreSQL.")
	p.cmd = p.command("postgres", args...)
	p.cmd.Stdout, p.cmd.Stderr = &p.errs, &p.errs
	p.cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT // it ends at once then, and removes what it shares
	if err := testenv.StartCommand(p.cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ends is of no interest
		close(p.done)
	}()
	t.Cleanup(func() { p.stop(t, before) })
	testenv.Eventually(t, "the server answers", func() bool {
		select {
		case <-p.done:
			t.Fatalf("the server ended: %s", p.errs.String())
		default:
		}
		return testenv.RunCommand(p.psql("select 1")) == nil
	})
	return p
}

// stop ends the server: fast, then at once, then by force.
func (p *postgres) stop(t *testing.T, before []string) {
	ended := false
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if err := p.cmd.Process.Signal(sig); err != nil {
			ended = true
			break
		}
		select {
		case <-p.done:
			ended = true
		case <-time.After(20 * time.Second):
			t.Errorf("the server did not end after %v", sig)
		}
		if ended {
			break
		}
	}
	<-p.done
	for _, name := range sharedNames(t, "PostgreSQL.") {
		info, err := os.Stat(name)
		if err == nil && !slices.Contains(before, name) && p.owns(info.Sys().(*syscall.Stat_t).Uid) {
			t.Errorf("the server left %s", name)
			_ = os.Remove(name)
		}
	}
}

// owns reports whether files of the server belong to a user, and nobody else's do.
func (p *postgres) owns(uid uint32) bool { return p.user != nil && uid == p.user.Uid }

func (p *postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "HOME="+p.dir, "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.user}
	return cmd
}

func (p *postgres) psql(statements ...string) *exec.Cmd {
	args := []string{"-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", p.dir, "-U", "shmkit", "-d", "postgres"}
	for _, s := range statements {
		args = append(args, "-c", s)
	}
	return p.command("psql", args...)
}

// do runs statements.
func (p *postgres) do(t *testing.T, statements ...string) string {
	t.Helper()
	cmd := p.psql(statements...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := testenv.RunCommand(cmd); err != nil {
		t.Fatalf("psql: %v\n%s", err, out.String())
	}
	return strings.TrimSpace(out.String())
}

// background runs statements that do not end until the test does.
func (p *postgres) background(t *testing.T, statements ...string) {
	t.Helper()
	cmd := p.psql(statements...)
	if err := testenv.StartCommand(cmd); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
	})
}

func (p *postgres) pids(t *testing.T) []int { return inTree(t, p.cmd.Process.Pid) }

// work fills a table and reads it, and begins a query of several processes that does not end.
func (p *postgres) work(t *testing.T) {
	t.Helper()
	p.do(t, "create table numbers as select n, repeat('x', 100) as text from generate_series(1, 20000) n", "analyze numbers", "select count(*) from numbers")
	p.background(t, "set min_parallel_table_scan_size = 0", "set parallel_setup_cost = 0", "set parallel_tuple_cost = 0",
		"set max_parallel_workers_per_gather = 2", "select count(*) from numbers where pg_sleep(600) is not null")
	testenv.Eventually(t, "several processes work on a query", func() bool {
		return p.do(t, "select count(*) from pg_stat_activity where backend_type = 'parallel worker' and wait_event = 'PgSleep'") != "0"
	})
}

// named returns the things whose path begins with some text.
func named(things map[thing]facts, all map[thing][]holding, prefix string) (found []thing) {
	for k := range things {
		if list := all[k]; len(list) > 0 && strings.HasPrefix(list[0].path, prefix) {
			found = append(found, k)
		}
	}
	return found
}

func TestPostgreSQLsMemoryIsSeenAsProcShowsIt(t *testing.T) {
	beside(t)
	p := startPostgres(t, "shared_memory_type=mmap")
	p.work(t)
	// Main memory, the System V segment that keeps a second server out, and memory of queries.
	things := sameAsProc(t, 4, func() []int { return p.pids(t) })
	all := holdings(t)
	main := named(things, all, "/dev/zero")
	if len(main) != 1 {
		t.Fatalf("main memory: %v", main)
	}
	f := things[main[0]]
	if f.s("kind") != "map" || f.n(t, "size") < 16<<20 || !strings.HasPrefix(f.s("address"), fmt.Sprintf("map:%d/", slices.Min(pidsOf(all[main[0]])))) {
		t.Errorf("main memory is %v", f)
	}
	if f.s("owner_uid") != "" && p.user != nil && f.s("owner_uid") != fmt.Sprint(p.user.Uid) {
		t.Errorf("main memory belongs to %s", f.s("owner_uid"))
	}
	// Who may not open what the process maps is not told, which takes more than to own the process.
	if f["resident"] != nil || os.Geteuid() == 0 {
		if resident := f.n(t, "resident"); resident <= 0 || resident > f.n(t, "size") {
			t.Errorf("%d resident of %d", resident, f.n(t, "size"))
		}
	}
	for _, u := range whoUses(t, f.s("address")) {
		if u.s("command") != "postgres" || u["shared"] != true {
			t.Errorf("main memory is used by %v", u)
		}
	}
	lockout := named(things, all, "/SYSV")
	if len(lockout) != 1 {
		t.Fatalf("System V segments: %v", lockout)
	}
	sameAsIpcs(t, things[lockout[0]], p.cmd.Process.Pid)
	queries := named(things, all, "/dev/shm/PostgreSQL.")
	if len(queries) < 2 {
		t.Fatalf("POSIX objects: %v", queries)
	}
	for _, k := range queries {
		f := things[k]
		if f.s("kind") != "posix" {
			t.Errorf("it is no POSIX object: %v", f)
		}
		sameAsLsof(t, f.s("address"), "/dev/shm"+f.s("name"))
	}
}

func TestPostgreSQLsSegmentIsSeenAsIpcsShowsIt(t *testing.T) {
	beside(t)
	p := startPostgres(t, "shared_memory_type=sysv")
	p.work(t)
	things := sameAsProc(t, 3, func() []int { return p.pids(t) })
	main := named(things, holdings(t), "/SYSV")
	if len(main) != 1 {
		t.Fatalf("System V segments: %v", main)
	}
	f := things[main[0]]
	if f.n(t, "size") < 16<<20 {
		t.Errorf("main memory is %v", f)
	}
	sameAsIpcs(t, f, p.cmd.Process.Pid)
}

// sameAsIpcs compares a segment with what ipcs says of it: each process has attached it once.
func sameAsIpcs(t *testing.T, f facts, creator int) {
	t.Helper()
	inTheEnd(t, "shmkit and ipcs agree on "+f.s("address"), func() error {
		count, made := attachments(t, f.s("id"))
		n := len(whoUses(t, "sysv:id="+f.s("id")))
		stat := kindFacts(t, "stat", "sysv:id="+f.s("id"))[0]
		if count != strconv.Itoa(n) || stat.s("attached") != count || made != strconv.Itoa(creator) || stat.s("creator_pid") != made {
			return fmt.Errorf("ipcs: %s attached, made by %s; who: %d; stat: %s", count, made, n, stat.s("attached"))
		}
		return nil
	})
}
