package top

import (
	"errors"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/inspect"
)

// What never had a name has not lost it.
func TestMarksOfAnObject(t *testing.T) {
	for _, c := range []struct {
		object inspect.Object
		want   []string
	}{
		{inspect.Object{Kind: inspect.KindFile}, nil},
		{inspect.Object{Kind: inspect.KindFile, Removed: true}, []string{"removed"}},
		{inspect.Object{Kind: inspect.KindSegment, Removed: true, Use: inspect.Unused}, []string{"removed", "unused"}},
		{inspect.Object{Kind: inspect.KindMemfd, Removed: true}, nil},
		{inspect.Object{Kind: inspect.KindMap, Removed: true}, nil},
		{inspect.Object{Kind: inspect.KindSegment, Segment: &inspect.Segment{Locked: true}}, []string{"locked"}},
		{inspect.Object{Kind: inspect.KindPOSIX, Shared: &inspect.Shared{State: "corrupt"}}, []string{"broken"}},
		{inspect.Object{Kind: inspect.KindPOSIX, Err: errors.New("not read")}, []string{"unread"}},
	} {
		if got := marks(&c.object); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q", c.object, got)
		}
	}
}
