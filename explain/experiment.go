package explain

import "slices"

// An Experiment is a question about shared memory, and what is done on the live kernel to
// answer it.
type Experiment struct {
	Number   int      `json:"number"`
	Name     string   `json:"name"`
	Title    string   `json:"title"`
	Question string   `json:"question"`
	Outline  []string `json:"outline"` // what is done, a line each

	run func(*lab)
	// roles are what processes of the experiment do, by name; besides those of all
	// experiments.
	roles map[string]role
}

// all is the list of experiments: one line for each, in a file of its own.
func all() []Experiment {
	return []Experiment{
		lazy(),
		frame(),
		life(),
		permissions(),
		file(),
		private(),
		tail(),
		split(),
		backing(),
		fast(),
		races(),
		death(),
	}
}

// Experiments returns all experiments, by number.
func Experiments() []Experiment {
	list := all()
	slices.SortFunc(list, func(a, b Experiment) int { return a.Number - b.Number })
	return list
}

// Find returns the experiment with that name or number.
func Find(name string) (Experiment, bool) {
	list := Experiments()
	i := slices.IndexFunc(list, func(e Experiment) bool { return e.Name == name || itoa(e.Number) == name })
	if i < 0 {
		return Experiment{}, false
	}
	return list[i], true
}
