package inode

import (
	"io/fs"
	"time"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/kind"
)

// Facts are what lists tell of a file.
type Facts struct {
	Size, Allocated, Resident, Dirty kind.Value
	Mode                             fs.FileMode
	UID, GID                         uint32
	Accessed, Modified, Changed      time.Time
	// Unseen says why the file itself could not be looked at; "" if it could. Unowned likewise says it of owner,
	// group and mode alone.
	Unseen, Unowned string
}

// Facts are those of the file of the handle, now.
func (h *Handle) Facts() Facts {
	st := stat(h.info)
	f := Facts{
		Size: kind.Bytes(h.info.Size()), Allocated: kind.Bytes(Allocated(h.info)), Mode: fs.FileMode(st.Mode & 0o777), UID: st.Uid, GID: st.Gid,
		Accessed: time.Unix(st.Atim.Unix()), Modified: time.Unix(st.Mtim.Unix()), Changed: time.Unix(st.Ctim.Unix()),
	}
	f.Resident, f.Dirty = h.cache()
	return f
}

// Seen are those of an object that was seen.
func Seen(o *inspect.Object) Facts {
	f := Facts{
		Size: kind.Bytes(o.Size), Allocated: kind.Amount(o.Allocated), Resident: kind.Amount(o.Resident), Dirty: kind.Amount(o.Dirty),
		Mode: o.Mode.Perm(), UID: o.UID, GID: o.GID, Unowned: o.ModeUnknown, Accessed: o.Accessed, Modified: o.Modified, Changed: o.Changed,
	}
	if o.Err != nil {
		f.Unseen = o.Err.Error()
	}
	return f
}

// Fields tells the facts, with how much is to be written back where there is a device for that.
func (f Facts) Fields(names *kind.Names, device bool) []kind.Field {
	fields := []kind.Field{{Name: "size", Value: f.Size}, {Name: "allocated", Value: f.Allocated}, {Name: "resident", Value: f.Resident}}
	if device {
		fields = append(fields, kind.Field{Name: "dirty", Value: f.Dirty})
	}
	owned := append([]kind.Field{{Name: "mode", Value: kind.Mode(f.Mode)}}, names.User("owner", "owner_uid", f.UID)...)
	owned = append(owned, names.Group("group", "group_gid", f.GID)...)
	if f.Unowned != "" {
		for i := range owned {
			owned[i].Value = kind.Unknown(f.Unowned)
		}
	}
	fields = append(append(fields, owned...),
		kind.Field{Name: "access_time", Value: kind.Time(f.Accessed)},
		kind.Field{Name: "modify_time", Value: kind.Time(f.Modified)},
		kind.Field{Name: "change_time", Value: kind.Time(f.Changed)})
	if f.Unseen != "" {
		for i := range fields {
			fields[i].Value = kind.Unknown(f.Unseen)
		}
	}
	return fields
}
