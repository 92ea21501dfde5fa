package explain

import (
	"slices"
	"testing"
)

// A turn that is lost with any of the locks is a disagreement, and so is that none is lost
// where there should be no lock.
func TestRacesSeesWhatGoesWrong(t *testing.T) {
	wants := map[string][]string{"lock plain": {"Without a lock: " + factLost}}
	for _, d := range disciplines {
		wants["lose "+d.key] = []string{d.title + ": " + factCounter, d.title + ": " + factLost, "What it costs: ways that lost nothing"}
	}
	for spoil, want := range wants {
		t.Run(spoil, func(t *testing.T) {
			// Two rounds without a lock may have lost nothing, if the machine is busy.
			got := slices.DeleteFunc(spoilt(t, races(), spoil), func(d string) bool {
				return spoil != "lock plain" && d == wants["lock plain"][0]
			})
			if !slices.Equal(got, want) {
				t.Errorf("disagree: %q, want %q", got, want)
			}
		})
	}
}
