// Package top is the screen of shmkit top: a live list of objects with what changes
// of them in a second, and a look into one.
//
// What it shows comes from a Source, which is asked in the background, one question at
// a time: keys are answered at once whatever that takes. Two samples make a Frame
// (Compare), a View says what of it is on the screen and what keys do to that, and
// draws it; neither knows a terminal, so that tests have them without one. Run brings
// them together.
//
// Traps. All text of objects is somebody else's: it reaches the screen through painter
// only, which makes one line of printable characters of it. An object is known by its
// Identity; its address may come to mean another one.
package top
