// Package report shows what package bench has measured: as columns of a table, for the terminal too, and as a
// page with charts that needs nothing else, no network and no script.
//
// A suite is drawn by what its rows have, not by its name: lines over the number of receivers or the size of
// messages where there are several, percentiles where single operations were timed, bars elsewhere. What is
// shmkit's has a colour; what is the kernel's is grey, with a mark of its own; yardsticks are dashed. All have
// their names beside them, so nothing hangs on telling colours apart.
package report
