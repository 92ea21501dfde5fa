package bench

// A stream is a side of messages one way, from A to B, as fast as they go. It takes until B has the last.
type stream struct {
	end
	r   *room
	seq uint64
}

func (s *stream) run(n int, _ *recorder) error {
	do := s.receive
	if s.r.first {
		do = s.send
	}
	for range n {
		s.seq++
		if err := do(s.seq); err != nil {
			return err
		}
	}
	done := &s.r.words.Data().Done.Word
	if s.r.first {
		await(done, s.seq)
	} else {
		done.Store(s.seq)
	}
	return nil
}
