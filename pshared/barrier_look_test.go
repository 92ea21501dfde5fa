package pshared

import "testing"

// A party that is found dead breaks the phase that was seen before it was, and none that has
// begun since: somebody may have reset the barrier by then.
func TestNoLaterPhaseIsBroken(t *testing.T) {
	type scene struct{ B BarrierWord }
	s, err := CreateMemfd[scene]("barrier", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f, err := s.Descriptor()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	other, err := OpenMemfd[scene](f, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	b := s.Barrier(&s.Data().B, 2)
	other.Barrier(&other.Data().B, 2)
	later := uint64(0)
	b.look(func(uint32) bool {
		later = nextPhase(b.word.state.Load())
		b.word.state.Store(later)
		return true
	})
	if v := b.word.state.Load(); v != later || later == 0 {
		t.Errorf("the state is %#x, and the phase began with %#x", v, later)
	}
	b.look(func(uint32) bool { return true })
	if v := b.word.state.Load(); v != later|barrierBroken {
		t.Errorf("the state is %#x with a dead party", v)
	}
}
