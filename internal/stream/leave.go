package stream

import (
	"context"
	"time"
)

// leavePatience is how long who leaves waits for lock. Lock is held for moments,
// unless its holder is stopped.
var leavePatience = 5 * time.Second

// leave ends the membership. The last one to leave removes what there is.
func (m *member) leave() error {
	if !m.gone {
		// Not to be cancelled: who leaves has often been cancelled already.
		ctx, cancel := context.WithTimeout(context.Background(), leavePatience)
		defer cancel()
		m.quit(ctx)
	}
	return several(m.goneErr, m.detach())
}

// quit ends the membership. What goes wrong is told by leave.
func (m *member) quit(ctx context.Context) {
	locked, err := m.depart(ctx)
	m.gone, m.goneErr = true, err
	if locked {
		point("leave:locked")
		m.clear()
	}
}

// clear is what is left to do for who has lock and is no member any more.
func (m *member) clear() {
	woke := several(ignoreGone(m.guarded(m.wake)), ignoreGone(m.guarded(m.wakeWriter)))
	point("leave:woke")
	m.goneErr = several(m.goneErr, woke, m.release())
}
