package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

// isMine reports whether the object belongs to the user or was made by them.
func isMine(o kind.Object) bool { return slices.Contains(o.Owners, uint32(os.Geteuid())) }

// item is an object of a list.
type item struct {
	seen  *inspect.Object // nil of a kind that package inspect does not know
	shown kind.Object
}

// mine reports whether the object belongs to the user or was made by them.
func (i item) mine() bool {
	if i.seen == nil || i.seen.Err != nil {
		return isMine(i.shown)
	}
	uid, o := uint32(os.Geteuid()), i.seen
	if o.ModeUnknown == "" && o.UID == uid {
		return true
	}
	return isSystemV(o.Kind) && o.CreatorUID == uid && !(isForeign(o) && o.Allocated.Unknown != "")
}

func isSystemV(kindName string) bool {
	return kindName == inspect.KindSegment || kindName == inspect.KindSemaphores || kindName == inspect.KindMessageQueue
}

// take takes a look at all processes, for the kinds of these names; nil is all.
func (a *app) take(ctx context.Context, kinds []string, deep bool) (*inspect.Snapshot, error) {
	o := a.inspect
	o.Kinds, o.Deep = kinds, deep
	return inspect.Take(ctx, &o)
}

// listedAs is the kind among which an object is listed. Of another IPC namespace a segment has no
// identifier here, and is known by who maps it alone.
func listedAs(o *inspect.Object) string {
	if isForeign(o) {
		return inspect.KindMap
	}
	return o.Kind
}

// isForeign reports whether an object is a segment of another IPC namespace.
func isForeign(o *inspect.Object) bool { return o.Segment != nil && o.Segment.Namespace != 0 }

// survey lists the objects of some kinds, after one look at all processes. What could not be listed is
// reported, and the rest is returned: by kind.
func (a *app) survey(cmd *cobra.Command, kinds []kind.Capable[kind.Lister], deep bool) (map[string][]item, error) {
	var inspected []string
	for _, k := range kinds {
		if _, ok := k.Kind.(kind.Inspected); ok {
			inspected = append(inspected, k.Name())
		}
	}
	all, failed := map[string][]item{}, false
	if len(inspected) > 0 {
		wanted := inspected
		if slices.Contains(inspected, inspect.KindMap) && !slices.Contains(inspected, inspect.KindSegment) {
			wanted = append(slices.Clip(inspected), inspect.KindSegment) // for those of other namespaces
		}
		s, err := a.take(cmd.Context(), wanted, deep)
		if err != nil {
			return nil, err
		}
		seen := map[string][]inspect.Object{}
		for o, err := range s.Objects() {
			if err != nil && o.Address == "" { // a source of objects, or one without so much as an address
				a.say(cmd, err)
				failed = true
				continue
			}
			seen[listedAs(&o)] = append(seen[listedAs(&o)], o)
		}
		if err := cmd.Context().Err(); err != nil {
			return nil, err
		}
		for _, k := range kinds {
			if objects := seen[k.Name()]; len(objects) > 0 {
				all[k.Name()] = described(k.Kind.(kind.Inspected), objects)
			}
		}
	}
	for _, k := range kinds {
		if slices.Contains(inspected, k.Name()) {
			continue
		}
		objects, err := k.Can.List()
		if err != nil {
			a.say(cmd, err)
			failed = true
		}
		for _, o := range objects {
			all[k.Name()] = append(all[k.Name()], item{shown: o})
		}
	}
	if failed {
		return all, errReported
	}
	return all, nil
}

// described is what a kind tells of objects, and then what is told of all.
func described(k kind.Inspected, objects []inspect.Object) []item {
	var items []item
	users := &kind.Names{}
	for i, o := range k.Describe(objects) {
		addFacts(&o, &objects[i], users)
		items = append(items, item{&objects[i], o})
	}
	return items
}

// watch is a look at all processes for some objects: taken when the first is asked for.
type watch struct {
	a        *app
	ctx      context.Context
	snapshot *inspect.Snapshot
	err      error
}

// object returns what was seen of one.
func (w *watch) object(addr address.Address) (inspect.Object, error) {
	if w.snapshot == nil && w.err == nil {
		w.snapshot, w.err = w.a.take(w.ctx, nil, true)
	}
	if w.err != nil {
		return inspect.Object{}, w.err
	}
	o, err := w.snapshot.Object(addr.String())
	if errors.Is(err, fs.ErrNotExist) {
		err = kind.Missing(addr, err)
	}
	return o, err
}
