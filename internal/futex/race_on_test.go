//go:build race

package futex

// underRace: the detector is on, and everything takes ten times as long.
const underRace = true
