package sysv_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// byTool runs ipcs or lsipc and returns what it prints.
func byTool(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(testenv.RequireTool(t, name), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

// toolTime is a time as ipcs prints it.
func toolTime(t time.Time) string {
	if t.IsZero() {
		return "Not set"
	}
	return t.UTC().Format(time.ANSIC)
}

// toolTable is the words of each line: ipcs fills up with spaces and tabs.
func toolTable(text string) []string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if words := strings.Fields(line); len(words) > 0 {
			lines = append(lines, strings.Join(words, " "))
		}
	}
	return lines
}

// toolOwners is the line of owners in ipcs -i.
func toolOwners(p sysv.Permission) string {
	return fmt.Sprintf("uid=%d gid=%d cuid=%d cgid=%d", p.UID, p.GID, p.CreatorUID, p.CreatorGID)
}

func TestIpcsShowsASetAsStatDoes(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	s := newSemaphores(t, 3)
	compare := func() {
		t.Helper()
		info, err := s.Stat()
		succeeds(t, err)
		want := []string{
			fmt.Sprintf("Semaphore Array semid=%d", s.ID()),
			toolOwners(info.Permission),
			fmt.Sprintf("mode=%04[1]o, access_perms=%04[1]o", uint32(info.Mode)),
			fmt.Sprintf("nsems = %d", info.Count),
			"otime = " + strings.Join(strings.Fields(toolTime(info.OpTime)), " "),
			"ctime = " + strings.Join(strings.Fields(toolTime(info.ChangeTime)), " "),
			"semnum value ncount zcount pid",
		}
		for i := range info.Count {
			row := fmt.Sprint(i)
			for _, get := range []func(int) (int, error){s.Value, s.Waiting, s.WaitingForZero, s.LastPID} {
				n, err := get(i)
				succeeds(t, err)
				row += fmt.Sprintf(" %d", n)
			}
			want = append(want, row)
		}
		if diff := cmp.Diff(toolTable(byTool(t, "ipcs", "-s", "-i", fmt.Sprint(s.ID()))), want); diff != "" {
			t.Errorf("(-ipcs +Stat):\n%s", diff)
		}
	}
	compare()
	succeeds(t, s.SetMode(0o642))
	succeeds(t, s.Op(background, sysv.Add(1, 5)))
	down := start(func() error { return s.Op(background, sysv.Wait(0)) })
	zero := start(func() error { return s.Op(background, sysv.Zero(1)) })
	eventuallyWaiting(t, s, 0, 1)
	eventuallyZeroWaiting(t, s, 1, 1)
	compare()
	succeeds(t, s.SetValues([]int{1, 0, 0}))
	succeeds(t, result(t, down))
	succeeds(t, result(t, zero))
}

func TestIpcsShowsAQueueAsStatDoes(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	q := newQueue(t)
	compare := func() {
		t.Helper()
		i, err := q.Stat()
		succeeds(t, err)
		want := []string{
			fmt.Sprintf("Message Queue msqid=%d", q.ID()),
			toolOwners(i.Permission) + fmt.Sprintf(" mode=%04o", uint32(i.Mode)),
			fmt.Sprintf("cbytes=%d qbytes=%d qnum=%d lspid=%d lrpid=%d", i.Bytes, i.Capacity, i.Messages, i.LastSendPID, i.LastReceivePID),
			"send_time=" + strings.Join(strings.Fields(toolTime(i.SendTime)), " "),
			"rcv_time=" + strings.Join(strings.Fields(toolTime(i.ReceiveTime)), " "),
			"change_time=" + strings.Join(strings.Fields(toolTime(i.ChangeTime)), " "),
		}
		if diff := cmp.Diff(toolTable(byTool(t, "ipcs", "-q", "-i", fmt.Sprint(q.ID()))), want); diff != "" {
			t.Errorf("(-ipcs +Stat):\n%s", diff)
		}
	}
	compare()
	fill(t, q, 1, 2, 3)
	takes(t, q, sysv.Any(), 1, "0")
	succeeds(t, q.SetMode(0o642))
	succeeds(t, q.SetCapacity(4321))
	compare()
}

func TestIpcsShowsASegmentAsStatDoes(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	seg, err := sysv.Create(sysv.Key(testenv.Key(t)), 4097, 0o642)
	succeeds(t, err)
	compare := func() {
		t.Helper()
		i, err := seg.Stat()
		succeeds(t, err)
		want := []string{
			fmt.Sprintf("Shared memory Segment shmid=%d", seg.ID()),
			toolOwners(i.Permission),
			fmt.Sprintf("mode=%04[1]o access_perms=%04[1]o", uint32(i.Mode)),
			fmt.Sprintf("bytes=%d lpid=%d cpid=%d nattch=%d", i.Size, i.LastPID, i.CreatorPID, i.Attached),
			"att_time=" + strings.Join(strings.Fields(toolTime(i.AttachTime)), " "),
			"det_time=" + strings.Join(strings.Fields(toolTime(i.DetachTime)), " "),
			"change_time=" + strings.Join(strings.Fields(toolTime(i.ChangeTime)), " "),
		}
		if diff := cmp.Diff(toolTable(byTool(t, "ipcs", "-m", "-i", fmt.Sprint(seg.ID()))), want); diff != "" {
			t.Errorf("(-ipcs +Stat):\n%s", diff)
		}
	}
	compare()
	m, err := seg.Attach(nil)
	succeeds(t, err)
	compare()
	succeeds(t, m.Close())
	compare()
}

// ipcsLimits reads the lines of ipcs -l, which are "NAME = NUMBER".
func ipcsLimits(t *testing.T) map[string]string {
	t.Helper()
	limits := map[string]string{}
	for _, line := range toolTable(byTool(t, "ipcs", "-l")) {
		if name, value, ok := strings.Cut(line, " = "); ok {
			limits[name] = value
		}
	}
	return limits
}

// setLimits gives every limit a value of its own.
func setLimits(t *testing.T) {
	t.Helper()
	for path, value := range map[string]string{
		"kernel/sem": "101 2020 33 44", "kernel/msgmni": "55", "kernel/msgmax": "6666", "kernel/msgmnb": "77777",
		"kernel/shmmni": "88", "kernel/shmmax": "1048576", "kernel/shmall": "1234",
	} {
		testenv.SetSysctl(t, path, value)
	}
}

func TestIpcsKnowsTheSameLimits(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	setLimits(t)
	sem, err := sysv.ReadSemaphoreLimits()
	succeeds(t, err)
	msg, err := sysv.ReadQueueLimits()
	succeeds(t, err)
	shm, err := sysv.ReadSegmentLimits()
	succeeds(t, err)
	want := map[string]string{
		"max queues system wide":            fmt.Sprint(msg.MaxQueues),
		"max size of message (bytes)":       fmt.Sprint(msg.MaxMessage),
		"default max size of queue (bytes)": fmt.Sprint(msg.QueueBytes),
		"max number of segments":            fmt.Sprint(shm.MaxSegments),
		"max seg size (kbytes)":             fmt.Sprint(shm.MaxBytes / 1024),
		"max total shared memory (kbytes)":  fmt.Sprint(shm.MaxPages * uint64(os.Getpagesize()) / 1024),
		"min seg size (bytes)":              fmt.Sprint(shm.MinBytes),
		"max number of arrays":              fmt.Sprint(sem.MaxSets),
		"max semaphores per array":          fmt.Sprint(sem.MaxPerSet),
		"max semaphores system wide":        fmt.Sprint(sem.MaxSemaphores),
		"max ops per semop call":            fmt.Sprint(sem.MaxOps),
		"semaphore max value":               fmt.Sprint(sem.MaxValue),
	}
	if diff := cmp.Diff(ipcsLimits(t), want); diff != "" {
		t.Errorf("(-ipcs -l +limits):\n%s", diff)
	}
}

func TestIpcsCountsTheSameUse(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	newSemaphores(t, 5)
	newSemaphores(t, 6)
	fill(t, newQueue(t), 1, 2, 3)
	newQueue(t)
	_, err := sysv.Create(sysv.Key(testenv.Key(t)), 4097, 0o600)
	succeeds(t, err)
	sem, err := sysv.ReadSemaphoreLimits()
	succeeds(t, err)
	msg, err := sysv.ReadQueueLimits()
	succeeds(t, err)
	shm, err := sysv.ReadSegmentLimits()
	succeeds(t, err)
	got := strings.Join(toolTable(byTool(t, "ipcs", "-u")), "\n")
	for _, line := range []string{
		fmt.Sprintf("allocated queues = %d", msg.Queues),
		fmt.Sprintf("used headers = %d", msg.Messages),
		fmt.Sprintf("used space = %d bytes", msg.Bytes),
		fmt.Sprintf("used arrays = %d", sem.Sets),
		fmt.Sprintf("allocated semaphores = %d", sem.Semaphores),
		fmt.Sprintf("segments allocated %d", shm.Segments),
		fmt.Sprintf("pages allocated %d", shm.Pages),
		fmt.Sprintf("pages resident %d", shm.ResidentPages),
		fmt.Sprintf("pages swapped %d", shm.SwappedPages),
	} {
		if !strings.Contains(got+"\n", line+"\n") {
			t.Errorf("no line %q in:\n%s", line, got)
		}
	}
}

// lsipcRows reads the one table that lsipc prints as JSON, every value as text.
func lsipcRows(t *testing.T, args ...string) []procRow {
	t.Helper()
	var tables map[string][]map[string]any
	text := byTool(t, "lsipc", append(args, "--json", "--bytes", "--time-format=iso")...)
	if err := json.Unmarshal([]byte(text), &tables); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, text)
	}
	var rows []procRow
	for _, table := range tables {
		for _, line := range table {
			row := procRow{}
			for name, value := range line {
				if value != nil {
					row[name] = fmt.Sprint(value)
				}
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// lsipcColumns is the columns of every kind.
const lsipcColumns = "KEY,ID,PERMS,CUID,CGID,UID,GID,CTIME"

func lsipcPermission(p sysv.Permission, changed time.Time) procRow {
	return procRow{
		"key": p.Key.String(), "id": fmt.Sprint(p.ID), "perms": p.Mode.String()[1:], // without the kind of file
		"uid": fmt.Sprint(p.UID), "gid": fmt.Sprint(p.GID), "cuid": fmt.Sprint(p.CreatorUID), "cgid": fmt.Sprint(p.CreatorGID),
		"ctime": lsipcTime(changed),
	}
}

func lsipcTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05-07:00") }

// setTime sets a column that lsipc leaves empty for what never was.
func (r procRow) setTime(column string, t time.Time) {
	if !t.IsZero() {
		r[column] = lsipcTime(t)
	}
}

func TestLsipcListsTheSameSemaphores(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	newSemaphores(t, 7)
	succeeds(t, newSemaphores(t, 2).Op(background, sysv.Post(0)))
	succeeds(t, newSemaphores(t, 1).SetMode(0o642))
	sets, err := sysv.SemaphoreSets()
	succeeds(t, err)
	var want []procRow
	for _, s := range sets {
		row := lsipcPermission(s.Permission, s.ChangeTime)
		row["nsems"] = fmt.Sprint(s.Count)
		row.setTime("otime", s.OpTime)
		want = append(want, row)
	}
	if diff := cmp.Diff(lsipcRows(t, "--semaphores", "--output="+lsipcColumns+",NSEMS,OTIME"), want); diff != "" {
		t.Errorf("(-lsipc +list):\n%s", diff)
	}
}

func TestLsipcListsTheSameQueues(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	newQueue(t)
	q := newQueue(t)
	fill(t, q, 1, 2, 3)
	takes(t, q, sysv.Any(), 1, "0")
	succeeds(t, newQueue(t).SetMode(0o642))
	queues, err := sysv.MessageQueues()
	succeeds(t, err)
	var want []procRow
	for _, q := range queues {
		row := lsipcPermission(q.Permission, q.ChangeTime)
		row["usedbytes"], row["msgs"] = fmt.Sprint(q.Bytes), fmt.Sprint(q.Messages)
		row["lspid"], row["lrpid"] = fmt.Sprint(q.LastSendPID), fmt.Sprint(q.LastReceivePID)
		row.setTime("send", q.SendTime)
		row.setTime("recv", q.ReceiveTime)
		want = append(want, row)
	}
	if diff := cmp.Diff(lsipcRows(t, "--queues", "--output="+lsipcColumns+",USEDBYTES,MSGS,LSPID,LRPID,SEND,RECV"), want); diff != "" {
		t.Errorf("(-lsipc +list):\n%s", diff)
	}
}

func TestLsipcKnowsTheSameLimitsAndUse(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	setLimits(t)
	newSemaphores(t, 5)
	newSemaphores(t, 6)
	newQueue(t)
	_, err := sysv.Create(sysv.Key(testenv.Key(t)), 4097, 0o600)
	succeeds(t, err)

	sem, err := sysv.ReadSemaphoreLimits()
	succeeds(t, err)
	msg, err := sysv.ReadQueueLimits()
	succeeds(t, err)
	shm, err := sysv.ReadSegmentLimits()
	succeeds(t, err)
	want := map[string]string{ // limit and use; - where there is none
		"MSGMNI": fmt.Sprint(msg.MaxQueues, msg.Queues),
		"MSGMAX": fmt.Sprint(msg.MaxMessage, " -"),
		"MSGMNB": fmt.Sprint(msg.QueueBytes, " -"),
		"SHMMNI": fmt.Sprint(shm.MaxSegments, shm.Segments),
		"SHMALL": fmt.Sprint(shm.MaxPages, shm.Pages),
		"SHMMAX": fmt.Sprint(shm.MaxBytes, " -"),
		"SHMMIN": fmt.Sprint(shm.MinBytes, " -"),
		"SEMMNI": fmt.Sprint(sem.MaxSets, sem.Sets),
		"SEMMNS": fmt.Sprint(sem.MaxSemaphores, sem.Semaphores),
		"SEMMSL": fmt.Sprint(sem.MaxPerSet, " -"),
		"SEMOPM": fmt.Sprint(sem.MaxOps, " -"),
		"SEMVMX": fmt.Sprint(sem.MaxValue, " -"),
	}
	got := map[string]string{}
	for _, row := range lsipcRows(t, "--global", "--output=RESOURCE,LIMIT,USED") {
		if _, ours := want[row["resource"]]; ours { // newer versions know POSIX queues as well
			got[row["resource"]] = row["limit"] + " " + row["used"]
		}
	}
	// Version 2.38 counts two of them differently: of each segment the whole pages
	// only, and not the semaphores of the last set.
	for _, resource := range []string{"SHMALL", "SEMMNS"} {
		got[resource], _, _ = strings.Cut(got[resource], " ")
		want[resource], _, _ = strings.Cut(want[resource], " ")
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-lsipc +limits):\n%s", diff)
	}
}

// What the tools make and remove is made and removed for us, and the reverse.
func TestIpcmkAndIpcrm(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	byTool(t, "ipcmk", "--semaphore", "3", "--mode", "0642")
	byTool(t, "ipcmk", "--queue", "--mode", "0642")
	sets, err := sysv.SemaphoreSets()
	succeeds(t, err)
	queues, err := sysv.MessageQueues()
	succeeds(t, err)
	if len(sets) != 1 || sets[0].Count != 3 || sets[0].Mode != 0o642 || len(queues) != 1 || queues[0].Mode != 0o642 {
		t.Fatalf("%+v\n%+v", sets, queues)
	}
	s, err := sysv.OpenSemaphores(sets[0].Key)
	succeeds(t, err)
	q, err := sysv.OpenQueue(queues[0].Key)
	succeeds(t, err)
	succeeds(t, s.Remove())
	byTool(t, "ipcrm", "--queue-id", fmt.Sprint(q.ID()))
	failsWith(t, q.TrySend(1, nil), sysv.ErrRemoved)

	mine, key := newSemaphores(t, 1), newQueue(t)
	receive, _ := receiving(t, key, sysv.Any(), 1)
	byTool(t, "ipcrm", "--semaphore-id", fmt.Sprint(mine.ID()), "--queue-key", key.Key().String())
	failsWith(t, mine.TryOp(sysv.Post(0)), sysv.ErrRemoved)
	failsWith(t, result(t, receive), syscall.EIDRM, sysv.ErrRemoved)
}
