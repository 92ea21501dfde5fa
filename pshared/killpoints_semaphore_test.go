package pshared_test

import (
	"errors"
	"testing"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// The points that the semaphores have are come to in these plays, and a kill at any of them
// loses and doubles nothing.
func TestKilledAtEveryPointOfTheSemaphores(t *testing.T) {
	shmtest.KillAtEveryPoint(t, []shmtest.Play{
		{Name: "among others", Act: poolPlayAmongOthers},
		{Name: "waits", Act: poolPlayWaits},
		{Name: "gives up", Act: poolPlayGivesUp},
		{Name: "waits while one dies", Act: poolPlayWaitsForTheDead},
		{Name: "waits for permits of one who dies", Act: poolPlayPermitsOfTheDead},
		{Name: "waits for tokens of one who dies", Act: poolPlayTokensOfTheDead},
		{Name: "tries after a death", Act: poolPlayTries},
		{Name: "tries for a token after a death", Act: poolPlayTriesForAToken},
		{Name: "joins after a death", Act: poolPlayJoins},
		{Name: "releases to who waits", Act: poolPlayReleases},
		{Name: "waits behind another", Act: poolPlayBehind},
		{Name: "opens", Act: poolPlayOpens},
	}, &shmtest.KillOptions{
		Points:    shmtest.PointsIn(t, "semaphore.go", "permits.go", "counting.go", "tokens.go"),
		FirstOnly: testing.Short(), Parallel: true,
	})
}

func poolVictim(v *shmtest.Victim, dir, role string, args ...string) *shmtest.Proc {
	return v.Start("pool", poolArgs(dir, 1, role, args...)...)
}

// balance looks at what is left with everybody else gone: all permits, and the tokens there were,
// or, where one died in the middle of a step, as many more as it was about to post or be told of.
func balance(t testing.TB, b *bather, tokens int64) {
	t.Helper()
	refill(t, b)
	if n, _ := drainTokens(t, b); n < tokens || n > tokens+max(tokens, 1) {
		t.Errorf("%d tokens of %d are left", n, tokens)
	}
}

// working takes n permits and a token until the victim is gone.
func (b *bather) working(t testing.TB, p *shmtest.Proc, n int64) <-chan error {
	ctx := limited(t)
	return begin(func() error {
		for !p.Ended() {
			if err := errors.Join(b.bathe(ctx, n), b.take(ctx)); err != nil {
				return err
			}
		}
		return nil
	})
}

// poolPlayAmongOthers is a victim that takes permits, with two others that do.
func poolPlayAmongOthers(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a, b := mustOpenPool(t, dir, 2), mustOpenPool(t, dir, 3)
	must(t, a.count.Post(2))
	p := poolVictim(v, dir, "bather", "2", "200")
	ready(p)
	for _, c := range []<-chan error{a.working(t, p, 2), b.working(t, p, 1)} {
		must(t, <-c)
	}
	balance(t, a, 2)
}

// poolWaiting waits until so many goroutines wait in the pool's semaphores, or the victim is dead.
func poolWaiting(t testing.TB, dir string, p *shmtest.Proc, n int) {
	t.Helper()
	shmtest.Eventually(t, "all wait", func() bool {
		i, err := pshared.Look("struct", "pool", dir)
		sum := 0
		for _, m := range i.Members {
			sum += m.Waiting
		}
		return err == nil && sum >= n || p != nil && p.Ended()
	})
}

// poolPlayWaits is a victim that sleeps for a permit, and then for a token.
func poolPlayWaits(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a, b := mustOpenPool(t, dir, 2), mustOpenPool(t, dir, 3)
	must(t, a.count.Post(1))
	acquire(t, a.sem, 3)
	must(t, a.count.Wait(limited(t)))
	p := poolVictim(v, dir, "quitter")
	poolWaiting(t, dir, p, 1)
	behind := begin(func() error { return b.bathe(limited(t), 2) })
	poolWaiting(t, dir, p, 2)
	release(t, a.sem, 3)
	must(t, <-behind)
	poolWaiting(t, dir, p, 1)
	must(t, a.count.Post(1))
	must(t, b.take(limited(t)))
	<-p.Exited()
	balance(t, a, 1)
}

// poolPlayGivesUp is a victim that waits, and gives up.
func poolPlayGivesUp(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpenPool(t, dir, 2)
	acquire(t, a.sem, 3)
	p := poolVictim(v, dir, "quitter")
	<-p.Exited()
	release(t, a.sem, 3)
	balance(t, a, 0)
}

// poolPlayWaitsForTheDead is a victim that waits for what somebody has who dies, with another
// behind it.
func poolPlayWaitsForTheDead(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpenPool(t, dir, 2)
	must(t, a.count.Post(2))
	doomed := aPoolHolder(t, dir, 3, 2)
	p := poolVictim(v, dir, "waiter")
	poolWaiting(t, dir, p, 2)
	doomed.Kill()
	behind := begin(func() error { return errors.Join(a.bathe(limited(t), 1), a.take(limited(t))) })
	<-p.Exited()
	must(t, <-behind)
	balance(t, a, 2)
}

// poolPlayPermitsOfTheDead is the same, alone with the dead.
func poolPlayPermitsOfTheDead(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpenPool(t, dir, 2)
	doomed := aPoolHolder(t, dir, 3, 0)
	p := poolVictim(v, dir, "bather", "1", "1")
	ready(p)
	poolWaiting(t, dir, p, 1)
	doomed.Kill()
	<-p.Exited()
	balance(t, a, 0)
}

// poolPlayTokensOfTheDead is the same with tokens.
func poolPlayTokensOfTheDead(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpenPool(t, dir, 2)
	must(t, a.count.Post(2))
	doomed := aPoolHolder(t, dir, 0, 2)
	p := poolVictim(v, dir, "taker", "1")
	ready(p)
	poolWaiting(t, dir, p, 1)
	doomed.Kill()
	<-p.Exited()
	balance(t, a, 2)
}

// poolPlayTries is a victim that finds a dead holder where it does not wait.
func poolPlayTries(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpenPool(t, dir, 2)
	must(t, a.count.Post(2))
	// The victim has a slot of its own while both are alive.
	first := aPoolHolder(t, dir, 1, 1)
	second := aPoolHolder(t, dir, 2, 1)
	p := poolVictim(v, dir, "trier", "when told to")
	ready(p)
	first.Kill()
	second.Kill()
	p.Send("go")
	<-p.Exited()
	balance(t, a, 2)
}

// poolPlayTriesForAToken is the same, and nobody has permits.
func poolPlayTriesForAToken(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpenPool(t, dir, 2)
	must(t, a.count.Post(2))
	doomed := aPoolHolder(t, dir, 0, 2)
	p := poolVictim(v, dir, "trier", "when told to")
	ready(p)
	doomed.Kill()
	p.Send("go")
	<-p.Exited()
	balance(t, a, 2)
}

// poolPlayJoins is a victim that cleans the records of the dead to get one.
func poolPlayJoins(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	s, err := pshared.Open[pool]("pool", &pshared.Options{Dir: dir, Members: 3})
	must(t, err)
	a := mustOpenPool(t, dir, 2)
	must(t, s.Close())
	must(t, a.count.Post(2))
	first, second := aPoolHolder(t, dir, 1, 1), aPoolHolder(t, dir, 2, 1)
	first.Kill()
	second.Kill()
	<-poolVictim(v, dir, "trier").Exited()
	balance(t, a, 2)
}

// poolPlayReleases is a victim that has what others wait for.
func poolPlayReleases(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpenPool(t, dir, 2)
	must(t, a.count.Post(2))
	p := poolVictim(v, dir, "holder", "3", "2")
	ready(p)
	permit := begin(func() error { return a.bathe(limited(t), 3) })
	token := begin(func() error { return a.take(limited(t)) })
	poolWaiting(t, dir, p, 2)
	if !p.Ended() {
		p.Send("leave")
	}
	must(t, errors.Join(<-permit, <-token))
	<-p.Exited()
	balance(t, a, 2)
}

// poolPlayBehind is a victim that waits behind another, and gets what that one leaves.
func poolPlayBehind(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a, b := mustOpenPool(t, dir, 2), mustOpenPool(t, dir, 3)
	must(t, a.count.Post(2))
	must(t, errors.Join(a.count.Wait(ctx), a.count.Wait(ctx)))
	first := begin(func() error { return b.take(limited(t)) })
	poolWaiting(t, dir, nil, 1)
	p := poolVictim(v, dir, "taker", "3")
	ready(p)
	poolWaiting(t, dir, p, 2)
	must(t, a.count.Post(1))
	must(t, a.count.Post(1))
	must(t, <-first)
	<-p.Exited()
	balance(t, a, 2)
}

// poolPlayOpens is a victim that is the first to say how many permits there are.
func poolPlayOpens(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	mustOpenPool(t, dir, 2)
	<-poolVictim(v, dir, "opener", dir).Exited()
	s, err := pshared.OpenSemaphore("new", 2, &pshared.Options{Dir: dir})
	must(t, err)
	acquire(t, s, 2)
	release(t, s, 2)
	must(t, s.Close())
	must(t, pshared.Remove("semaphore", "new", dir))
}
