// Package explain does experiments with shared memory on the live kernel. Each answers a
// question: it says before every step what is to be expected, does the step in a process
// of its own, and shows what the kernel shows of it, from /proc, from counters and from
// the memory itself. The two are compared, and the report says whether they agree.
//
// What the executable model of the kernel covers (mappings, page tables, files in memory,
// segments) is predicted by the model: it does the same operation. What it doesn't cover
// (times, races, deaths, other programs) is predicted by a value and a relation that
// stand in the source, and are announced before the step is done.
//
// Traps: an experiment needs other processes, and starts the program that it is part of
// for them; so main has to begin with a call of Main. A report that disagrees is no error
// of Run.
//
// # How to add an experiment
//
// Write explain/NAME.go with a function that returns an Experiment, and add it to the list
// in experiment.go. What it does is a function of a lab:
//
//	func runName(x *lab) {
//		st := x.stage(player{name: "A"}, player{name: "B"})
//		st.do(note{title: "A stores", faults: true, why: "…"}, "A store addr=0 val=7")
//		…
//		x.conclude("…", "…")
//	}
//
// What the model covers are operations of a stage (stage.do, in the language of the model;
// internal/model/calls.go lists it). The prediction is the model's; result, areas, page
// table and segments are compared after each. With note.expect and note.look other things
// are predicted and looked at: frame numbers, say. A player may be another user.
//
// Several operations that only make things ready are one step with stage.several, and the
// death of a process is stage.end. Files on a disk are in lab.diskFolder, with cast.Name if
// they have names, and POSIX objects have names of lab.posixName. What is missing on this
// machine (room, a limit that others have used up) ends the experiment with an error that
// says so; see means.go.
//
// What it doesn't cover is a step with a plan, which has the predictions, and a function
// that does it and shows what came of it. Processes for it have roles, functions of an
// actor that are named in Experiment.roles, and answer lines with lines:
//
//	c := x.start("writer", "writes", nil)     // Experiment.roles["writes"]
//	x.step(plan{who: "writer", pids: []int{c.Pid()}, title: "…", call: "kill(getpid(), SIGKILL)", why: "…",
//		expect: []expectation{expect("lost updates", above, 0)},
//	}, func(s *step) {
//		answer, err := c.ask("go")
//		x.check(err)                          // ends the experiment
//		s.show("lost updates", n, "the counter, by pread of the file")
//	})
//
// Every expectation has to be shown, or declared unseen with the reason. What is shown and
// was not expected is evidence that nothing is compared with. What is drawn is Step.Scene,
// the memory, which stages fill in; Step.Charts, numbers as bars (step.chart); and
// Step.Lanes, who did what when.
//
// Nothing may be left, whenever it is interrupted: processes die with the experiment,
// files are opened and unlinked at once, and what has an id or a path is made known by
// lab.remember, best before it exists. Segments made by a process of the experiment are
// found without that, and System V queues and semaphores come from lab.make. Errors don't
// come back from a lab; they end the experiment.
//
// Tests are those of all experiments (explain_test.go): agreement, as other users too,
// leftovers, interruption at each step. What an experiment can do wrong to be caught at is
// said by Options.spoil; a test of its own shows that it is.
package explain
