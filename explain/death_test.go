package explain

import (
	"slices"
	"strings"
	"testing"
)

// Who gives the lock back before it dies, takes the semaphore without undo, or does not
// repair, makes the step disagree that is about it.
func TestDeathSeesWhatGoesWrong(t *testing.T) {
	const (
		plain, mutex     = "A word that is 1 while somebody is inside: ", "pshared.Mutex: "
		unrepaired       = "The same, and B unlocks without having repaired: "
		repaired, writer = "B repairs, says so, and unlocks: ", "pshared.RWMutex: a writer dies: "
	)
	defer nothingLeft(t)
	// All at once: most of the time somebody waits in vain.
	t.Run("", func(t *testing.T) {
		for spoil, want := range map[string][]string{
			"release plain": {plain + factNext, plain + factWord, plain + factWordDead},
			"release sysv":  {"A System V semaphore: " + factNext, "A System V semaphore: " + factValue, "A System V semaphore: " + factValueDead},
			"noundo":        {"A System V semaphore, taken with SEM_UNDO: " + factNext, "A System V semaphore, taken with SEM_UNDO: " + factValueDead},
			"release write": {writer + "B gets, for writing", writer + factNext},
			"norepair":      {repaired + factSumLeft, writer + factSumLeft},
			"release mutex": {mutex + factNext, mutex + factWord, unrepaired + factNext, unrepaired + "B gets, the next time", unrepaired + "the word after B's unlock"},
		} {
			t.Run(spoil, func(t *testing.T) {
				t.Parallel()
				got := spoiltBeside(t, death(), spoil)
				slices.Sort(got)
				if !slices.Equal(got, slices.Sorted(slices.Values(want))) {
					t.Errorf("disagree:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		}
	})
}
