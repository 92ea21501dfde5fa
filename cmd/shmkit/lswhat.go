package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/kind"
)

// marksOf are the states an object is in besides the usual.
func marksOf(o *inspect.Object) kind.Marks {
	gone := "deleted"
	if isSystemV(o.Kind) {
		gone = "removed"
	}
	locked := o.Locked.Unknown == "" && o.Locked.Bytes > 0 || o.Segment != nil && o.Segment.Locked
	var marks kind.Marks
	for _, m := range []struct {
		is   bool
		word string
	}{
		{o.Err != nil, "unseen"}, {o.Removed && o.Kind != inspect.KindMemfd && o.Kind != inspect.KindMap, gone}, {locked, "locked"},
		{o.PageSize > uint64(os.Getpagesize()) || o.Huge.Unknown == "" && o.Huge.Bytes > 0, "huge"},
		{o.Shared != nil && len(o.Shared.Members) > o.Shared.Alive, "dead"}, {o.Use == inspect.Unused, "unused"},
	} {
		if m.is {
			marks = append(marks, m.word)
		}
	}
	return marks
}

// whatIs says in a few words who uses an object, or what is in it.
func whatIs(o *inspect.Object) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if o.Err != nil {
		add("%s", aboutIt(o.Err.Error(), o.Kind+":"+o.Name))
	}
	switch {
	case o.Shared != nil && o.Err != nil: // which has said why it is not known
	case o.Shared != nil:
		inShared(o, add)
	case o.SemaphoreSet != nil:
		add("%s", plural(o.SemaphoreSet.Count, "semaphore", "semaphores"))
	case o.MessageQueue != nil:
		add("%s, %s", plural(o.MessageQueue.Messages, "message", "messages"), kind.Bytes(o.MessageQueue.Bytes).Human())
	}
	if o.Memfd != nil && o.Name != "" {
		add("%q", o.Name)
	}
	switch name := formerName(o); {
	case name != "":
		add("was %q", name)
	case (o.Kind == inspect.KindPOSIX || o.Kind == inspect.KindFile) && o.Path == "" && o.Name != "":
		add("%q, not reachable here", o.Name)
	}
	if names := commandsOf(o); names != "" && o.Shared == nil {
		add("%s", names)
	}
	if s := o.Segment; s != nil {
		switch {
		case isForeign(o) && o.Key != 0:
			add("key %#x of another IPC namespace", o.Key)
		case isForeign(o):
			add("of another IPC namespace")
		case s.Unseen > 0:
			add("%s by processes not seen here", plural(s.Unseen, "attachment", "attachments"))
		case s.Attachments == 0 && o.CreatorPID > 0:
			if command, known := kind.CommandOf(o.CreatorPID).(kind.Text); known {
				add("made by %d (%s)", o.CreatorPID, fit(string(command), 24))
			} else {
				add("made by %d, which has ended", o.CreatorPID)
			}
		}
	}
	return strings.Join(parts, "; ")
}

// formerName is what an object was called that has lost its name; empty if it has one, or never had.
func formerName(o *inspect.Object) string {
	if o.Removed && (o.Kind == inspect.KindPOSIX || o.Kind == inspect.KindFile) {
		return o.Name
	}
	return ""
}

// inShared says what an object of shmkit is for, and who has it.
func inShared(o *inspect.Object, add func(format string, args ...any)) {
	s := o.Shared
	switch {
	case s.Queue != nil:
		add("%d ready", s.Depth)
	case s.Topic != nil && s.Depth > 0:
		add("%d behind", s.Depth)
	}
	if n := len(s.Members); n > s.Alive {
		add("%d of %s alive", s.Alive, plural(n, "member", "members"))
	} else if n > 0 {
		add("%s", plural(n, "member", "members"))
	}
	if len(s.Holders) > 0 {
		var pids []string
		for _, h := range s.Holders {
			if h.Member >= 0 && h.Member < len(s.Members) {
				pids = append(pids, fmt.Sprint(s.Members[h.Member].PID))
			}
		}
		add("held by %s", listed(once(pids), "and"))
	}
	if s.Waiters > 0 {
		add("%d waiting", s.Waiters)
	}
	if len(s.Members) == 1 && s.Alive == 1 {
		add("%s", s.Members[0].Command)
	}
}

// once are the words without those that came before.
func once(words []string) []string {
	var all []string
	seen := map[string]bool{}
	for _, w := range words {
		if !seen[w] {
			all = append(all, w)
		}
		seen[w] = true
	}
	return all
}

// commandsOf are the commands of who uses an object: "postgres ×5, psql".
func commandsOf(o *inspect.Object) string {
	count := map[string]int{}
	var names []string
	for i := range o.Users {
		if o.Users[i].Self {
			continue
		}
		name := o.Users[i].Command
		if count[name] == 0 {
			names = append(names, name)
		}
		count[name]++
	}
	for i, name := range names {
		if n := count[name]; n > 1 {
			names[i] = fmt.Sprintf("%s ×%d", name, n)
		}
	}
	const most = 4
	if n := len(names); n > most {
		names = append(names[:most:most], fmt.Sprintf("%d others", n-most))
	}
	return strings.Join(names, ", ")
}
