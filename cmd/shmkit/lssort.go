package main

import (
	"cmp"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shmkit/shmkit/inspect"
)

// orders are what ls sorts by: what there is most of comes first, and so does what is oldest.
var orders = map[string]func(a, b *inspect.Object) int{
	"address":  func(a, b *inspect.Object) int { return strings.Compare(a.Address, b.Address) },
	"size":     func(a, b *inspect.Object) int { return cmp.Compare(b.Size, a.Size) },
	"resident": func(a, b *inspect.Object) int { return moreOf(a.Resident, b.Resident) },
	"swap":     func(a, b *inspect.Object) int { return moreOf(a.Swapped, b.Swapped) },
	"users":    func(a, b *inspect.Object) int { return cmp.Compare(countUsers(b), countUsers(a)) },
	"owner":    func(a, b *inspect.Object) int { return strings.Compare(ownerName(a), ownerName(b)) },
	"age":      func(a, b *inspect.Object) int { return older(birth(a), birth(b)) },
}

func sortKeys() []string {
	var keys []string
	for key := range orders {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// sorting is how items compare by a key; nil without one.
func sorting(key string) (func(a, b item) int, error) {
	if key == "" {
		return nil, nil
	}
	order, ok := orders[key]
	if !ok {
		return nil, usagef("--sort %s: the keys are %s", key, listed(sortKeys(), "and"))
	}
	return func(a, b item) int {
		switch {
		case a.seen == nil && b.seen == nil:
			return 0
		case a.seen == nil || b.seen == nil: // of which less is known comes last
			return cmp.Compare(known(b), known(a))
		}
		return order(a.seen, b.seen)
	}, nil
}

func known(i item) int {
	if i.seen == nil {
		return 0
	}
	return 1
}

// moreOf sorts what is not known behind all that is.
func moreOf(a, b inspect.Amount) int {
	amount := func(a inspect.Amount) int64 {
		if a.Unknown != "" {
			return -1
		}
		return int64(a.Bytes)
	}
	return cmp.Compare(amount(b), amount(a))
}

// birth is the earliest that is known of an object.
func birth(o *inspect.Object) time.Time {
	var first time.Time
	for _, at := range []time.Time{o.Created, o.Changed, o.Modified} {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// older sorts what has no time behind all that has one.
func older(a, b time.Time) int {
	if a.IsZero() != b.IsZero() {
		if a.IsZero() {
			return 1
		}
		return -1
	}
	return a.Compare(b)
}

// ownerNames are the names of users that were looked up.
var ownerNames = map[uint32]string{}

func ownerName(o *inspect.Object) string {
	if o.ModeUnknown != "" {
		return "?"
	}
	name, ok := ownerNames[o.UID]
	if !ok {
		name = strconv.FormatUint(uint64(o.UID), 10)
		if u, err := user.LookupId(name); err == nil {
			name = u.Username
		}
		ownerNames[o.UID] = name
	}
	return name
}

// countUsers is how many processes use an object, as far as seen.
func countUsers(o *inspect.Object) int {
	n := 0
	for i := range o.Users {
		if !o.Users[i].Self {
			n++
		}
	}
	if o.Shared != nil {
		n = max(n, o.Shared.Alive)
	}
	return n
}
