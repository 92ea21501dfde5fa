//go:build race

package stream

// underRace: the detector is on, and everything takes ten times as long.
const underRace = true
