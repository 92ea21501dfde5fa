package explain

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// permissions: who may attach, and what a read-only attachment refuses.
func permissions() Experiment {
	return Experiment{
		Number:   4,
		Name:     "permissions",
		Title:    "Who may: modes, other users, read-only",
		Question: "Memory of one user: what may another user do with it, and what if it may only be read?",
		Outline: []string{
			"a segment with mode 600: another user finds it and may not attach it",
			"mode 644: he may attach it read-only; a store is SIGSEGV, and mprotect doesn't help",
			"the mode is asked for once: who is attached stays",
			"the owner's bits bind the owner, too; and what root may",
			"files: what counts is how the descriptor was opened",
		},
		run:   runPermissions,
		roles: map[string]role{"opens": openerRole},
	}
}

func runPermissions(x *lab) {
	other, why := x.otherUser()
	st := x.stage(player{name: "A"}, player{name: "B", credential: other})
	if other != nil {
		runStranger(st)
	} else {
		runOwnBits(st, why)
	}
	runReadOnlyDescriptor(st)
	runFileModes(x, other)
	x.conclude("A mode decides when memory is attached or a file is opened, by the bits of the class one is in: owner, group or others. An access asks nobody any more: what it may is in the mapping.",
		"A mapping made read-only for lack of the right stays read-only: a store is SIGSEGV, and mprotect is refused. Taking rights away later does not reach those who have it mapped.")
}

// nobody is the other user: a number that owns nothing.
const nobody = 65534

// otherUser returns whom a process can be started as, or why as nobody else.
func (x *lab) otherUser() (*syscall.Credential, string) {
	if os.Geteuid() != 0 {
		return nil, "only root can start a process of another user"
	}
	other := &syscall.Credential{Uid: nobody, Gid: nobody}
	c, err := x.crew.start(x.opts, "trial", x.report.Experiment.Name+"/opens", &childOptions{credential: other})
	if err != nil {
		return nil, fmt.Sprintf("no process of user %d can be started here: %v", nobody, err)
	}
	c.kill()
	x.check(c.release())
	return other, ""
}

// attachedOnce is said where rights were taken away from somebody who is attached.
const attachedOnce = "The mode was asked when it was attached, and is not asked again. To be rid of somebody, take other memory."

// runStranger: A is root, and B another user.
func runStranger(st *stage) {
	st.do(note{
		title: "A makes a segment for itself alone",
		why:   "Mode 600: its owner may read and write, nobody else anything. The bits are those of files.",
	}, "A shmget id=s0 key=1 size=1p mode=600 flags=creat,excl")
	st.do(note{title: "A attaches it"}, "A shmat id=s0 addr=0")
	st.do(note{title: "A stores 7", faults: true}, "A store addr=0 val=7")
	st.do(note{
		title: "B, another user, asks for the key and for reading and writing",
		why:   "shmget(2): EACCES, “The user does not have permission to access the shared memory segment”. The bits in the flags are what one asks for.",
	}, "B shmget id=s1 key=1 size=1p mode=600")
	st.do(note{
		title: "B asks for the key, and for no right",
		why:   "That is granted: B has the id now. An id is a number and no right; everybody may see it in /proc/sysvipc/shm.",
	}, "B shmget id=s1 key=1 size=1p")
	st.do(note{title: "B attaches it", why: "Here the mode is asked. B is neither owner nor in the group: the last three bits count, and they are 0."}, "B shmat id=s1 addr=4p")
	st.do(note{
		title: "B removes it",
		why:   "shmctl(2): EPERM, the effective user is neither creator nor owner. No mode gives this right away.",
	}, "B rmid id=s1")
	st.do(note{title: "A lets others read", why: "Mode 644. Owner and creator may change it, and who has CAP_SYS_ADMIN."}, "A chmod id=s0 mode=644")
	st.do(note{title: "B attaches it", why: "Without SHM_RDONLY shmat asks for both, and B may not write: still EACCES."}, "B shmat id=s1 addr=4p")
	runReader(st, "s1")
	st.do(note{title: "A takes the right away again", why: "Nothing happens to B's mapping."}, "A chmod id=s0 mode=600")
	st.do(note{title: "B loads", faults: true, why: attachedOnce}, "B load addr=4p")
	st.do(note{title: "B detaches", quiet: true}, "B shmdt addr=4p")
	st.do(note{title: "B attaches it once more", why: "Now it is asked again."}, "B shmat id=s1 addr=4p flags=rdonly")

	st.do(note{title: "B makes a segment of its own that nobody may use", quiet: true, why: "Mode 000."}, "B shmget id=s2 size=1p mode=000")
	st.do(note{
		title: "B, the owner, attaches it",
		why:   "The owner's bits bind the owner, too. He may change them: that is the right of an owner.",
	}, "B shmat id=s2 addr=8p")
	st.do(note{title: "A attaches B's segment. A is root", why: rootMay(st)}, "A shmat id=s2 addr=8p")
	st.do(note{title: "B gives itself the right", quiet: true, why: "The owner may change the mode, whatever it was."}, "B chmod id=s2 mode=600")
	st.do(note{title: "B attaches it", why: "The owner's bits say yes."}, "B shmat id=s2 addr=8p")
	st.do(note{title: "A removes B's segment"}, "A rmid id=s2")
	st.do(note{title: "A removes its own", quiet: true}, "A rmid id=s0")
	letGo(st)
}

// rootMay says what A may, which is root: in a container it may be root in name only.
func rootMay(st *stage) string {
	if st.users[0].IPCOwner {
		return "CAP_IPC_OWNER: modes don't bind who has it, and root usually does. So no mode hides memory from root."
	}
	return "This root lacks CAP_IPC_OWNER, and is a user like others: a name alone is no right."
}

// runReader: B attaches a segment read-only that A has attached at 0, with a 7 in it.
func runReader(st *stage, id string) {
	st.do(note{
		title: "B attaches it read-only",
		why:   "SHM_RDONLY asks for reading only. The mapping says r--s.",
	}, "B shmat id="+id+" addr=4p flags=rdonly")
	st.do(note{title: "B loads", faults: true, why: "It is the same frame. No right is asked for here: the entry of the page table has what may be done."}, "B load addr=4p")
	st.do(note{
		title: "B stores",
		why:   "The entry does not allow stores: a fault, and the area does not either: SIGSEGV. Whoever has no handler ends here.",
	}, "B store addr=4p val=9")
	st.do(note{
		title: "B wants to make its mapping writable",
		why:   "mprotect(2): EACCES, “The memory cannot be given the specified access”. The kernel remembers how it was attached. A read-only mapping is a barrier, not advice.",
	}, "B mprotect addr=4p len=1p prot=rw-")
	st.do(note{title: "A stores 8", faults: true, quiet: true, why: "A's mapping may be written."}, "A store addr=0 val=8")
	st.do(note{title: "B loads", faults: true, why: "Read-only is B's mapping, not the memory: what is in it may change at any time."}, "B load addr=4p")
}

// runOwnBits shows with one user what can be shown: his own bits bind him.
func runOwnBits(st *stage, why string) {
	const what = "shmat of another user, mode 600"
	st.lab.step(plan{
		who: "another user", title: "What is not shown: a process of another user", call: "setuid(65534); shmat(…)",
		why:    "As root this experiment has one. Here A and B are one user, and what is shown are the owner's bits.",
		expect: []expectation{expect(what, is, "EACCES")},
	}, func(s *step) { s.unseen(what, why, "shmat(2)") })
	st.do(note{
		title: "A makes a segment that its owner may write and not read",
		why:   "Mode 200. The bits are those of files: the first three are the owner's.",
	}, "A shmget id=s0 key=1 size=1p mode=200 flags=creat,excl")
	st.do(note{title: "A, the owner, attaches it"}, "A shmat id=s0 addr=0")
	st.do(note{title: "A gives itself the right to read", why: "Owner and creator may change the mode, whatever it was."}, "A chmod id=s0 mode=600")
	st.do(note{title: "A attaches it", why: "Reading and writing: that is what shmat asks for."}, "A shmat id=s0 addr=0")
	st.do(note{title: "A stores 7", faults: true}, "A store addr=0 val=7")
	st.do(note{title: "A makes it read-only", why: "Mode 400. Who has it attached keeps what he has."}, "A chmod id=s0 mode=400")
	st.do(note{title: "B asks for the key, and for reading and writing"}, "B shmget id=s1 key=1 size=1p mode=600")
	st.do(note{title: "B asks for reading", quiet: true, why: "The bits in the flags are what one asks for."}, "B shmget id=s2 key=1 size=1p mode=400")
	st.do(note{title: "B attaches it without SHM_RDONLY"}, "B shmat id=s2 addr=8p")
	runReader(st, "s2")
	st.do(note{title: "A takes all rights away", quiet: true, why: "Mode 000."}, "A chmod id=s0 mode=000")
	st.do(note{title: "B loads", faults: true, why: attachedOnce}, "B load addr=4p")
	st.do(note{title: "B attaches it once more"}, "B shmat id=s2 addr=12p flags=rdonly")
	st.do(note{title: "B removes it", why: "B is a process of the owner, and removing asks for no bit of the mode."}, "B rmid id=s2")
	letGo(st)
}

// letGo ends the part with segments.
func letGo(st *stage) {
	st.do(note{title: "A lets go of what it has", quiet: true, why: "munmap detaches, too."}, "A munmap addr=0 len=16p")
	st.do(note{title: "B does, too", quiet: true, why: "With the last attachment the removed segments are gone."}, "B munmap addr=0 len=16p")
}

// runReadOnlyDescriptor: the same for memory with a descriptor.
func runReadOnlyDescriptor(st *stage) {
	st.do(note{title: "Memory with a descriptor", quiet: true}, "A memfd fd=d0")
	st.do(note{title: "… of one page", quiet: true}, "A truncate fd=d0 size=1p")
	st.do(note{title: "A opens it once more, for reading only", quiet: true, why: "What counts is how this descriptor was opened, not who opened another one."}, "A open fd=d1 from=A.d0 flags=r")
	st.do(note{
		title: "A maps that one shared, to be written",
		why:   "mmap(2): EACCES, “MAP_SHARED was requested and PROT_WRITE is set, but fd is not open in read/write (O_RDWR) mode”.",
	}, "A mmap fd=d1 addr=12p len=1p prot=rw- flags=shared")
	st.do(note{title: "A maps it to be read", why: "Granted."}, "A mmap fd=d1 addr=12p len=1p prot=r-- flags=shared")
	st.do(note{title: "A wants to make that writable", why: "The kernel remembers how the descriptor was opened, also when it has been closed."}, "A mprotect addr=12p len=1p prot=rw-")
	st.do(note{title: "A stores", why: "SIGSEGV: mapped, and not allowed."}, "A store addr=12p val=1")
	st.do(note{title: "A maps it privately, to be written", why: "Granted: what is stored to a private mapping is a copy, and does not reach the memory."}, "A mmap fd=d1 addr=14p len=1p prot=rw- flags=private")
	st.do(note{title: "A stores there", faults: true}, "A store addr=14p val=2")
	st.do(note{title: "The memory, read through the descriptor", why: "It has what it had."}, "A read fd=d0 len=1")
}

// runFileModes shows that objects with a name are opened like files.
func runFileModes(x *lab, other *syscall.Credential) {
	name, path := x.posixName(0)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	x.check(err)
	x.check(f.Close())
	c := x.start("C", "opens", &childOptions{credential: other})
	open := func(title, why string, mode os.FileMode, flag, want string) {
		x.check(os.Chmod(path, mode))
		call := fmt.Sprintf("shm_open(%q, %s, 0)", name, flag)
		x.step(plan{who: "C", pids: []int{c.Pid()}, title: title, call: call, why: why, expect: []expectation{expect("result", is, want)}}, func(s *step) {
			answer, err := c.ask(flag + " " + path)
			x.check(err)
			s.show("result", answer, "what the call returned")
			s.show("mode", fmt.Sprintf("%04o", mode.Perm()), "stat("+path+")")
		})
	}
	own := ""
	if other == nil {
		own = " C is the owner here: his own bits count."
	}
	want := fileRefusal(other)
	if other != nil {
		open("C, the other user, opens a POSIX object with mode 0600", "shm_open is open on a file of /dev/shm, and asks as open does.", 0o600, "O_RDONLY", want)
	}
	open("C opens an object that may be read: mode 0444", "Reading is granted."+own, 0o444, "O_RDONLY", "ok")
	open("C opens it for reading and writing", "open(2): EACCES, “The requested access to the file is not allowed”. So there is no descriptor that a writable shared mapping could be made of."+own, 0o444, "O_RDWR", want)
	x.check(os.Remove(path))
}

// fileRefusal is what open answers to a user whom the mode does not let in: root is let in
// anyway.
func fileRefusal(other *syscall.Credential) string {
	if other == nil && os.Geteuid() == 0 {
		return "ok"
	}
	return "EACCES"
}

// openerRole opens files: lines "O_RDWR PATH".
func openerRole(a *actor) error {
	for {
		line, err := a.hear()
		if err != nil {
			return err
		}
		flag, path, _ := strings.Cut(line, " ")
		mode := map[string]int{"O_RDONLY": os.O_RDONLY, "O_RDWR": os.O_RDWR}[flag]
		f, err := os.OpenFile(path, mode, 0)
		answer := "ok"
		switch {
		case errors.Is(err, syscall.EACCES):
			answer = "EACCES"
		case err != nil:
			answer = err.Error()
		default:
			err = f.Close()
			if err != nil {
				return err
			}
		}
		if err := a.say("%s", answer); err != nil {
			return err
		}
	}
}
