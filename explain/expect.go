package explain

import (
	"fmt"
	"strconv"
)

// An expectation is a prediction that is written down before the step is done: a thing,
// and what will be shown of it.
type expectation struct {
	what string
	rel  relation
	want any // int64, float64 or string
	by   string
}

// A relation is what the value that is shown has to be to the one that is expected.
type relation string

const (
	is      relation = "="
	isNot   relation = "≠"
	above   relation = ">"
	below   relation = "<"
	atLeast relation = "≥"
	atMost  relation = "≤"
)

// expect makes a prediction: expect("minor faults", is, 1).
func expect(what string, rel relation, want any) expectation {
	return expectation{what, rel, plain(want), ByStatement}
}

// byModel says that the value was worked out by the model.
func (e expectation) byModel() expectation {
	e.by = ByModel
	return e
}

// String is the prediction as it is shown: "1", "> 0".
func (e expectation) String() string {
	if e.rel == is {
		return text(e.want)
	}
	return string(e.rel) + " " + text(e.want)
}

// holds reports whether the value is as predicted. Values of different kinds never are.
func (e expectation) holds(got any) bool {
	got = plain(got)
	if a, ok := number(got); ok {
		b, ok := number(e.want)
		if !ok {
			return false
		}
		return map[relation]bool{is: a == b, isNot: a != b, above: a > b, below: a < b, atLeast: a >= b, atMost: a <= b}[e.rel]
	}
	a, ok1 := got.(string)
	b, ok2 := e.want.(string)
	if !ok1 || !ok2 {
		return false
	}
	return map[relation]bool{is: a == b, isNot: a != b}[e.rel]
}

// plain makes numbers int64 or float64 and leaves strings; anything else becomes its text.
func plain(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case int64, float64, string:
		return v
	case uint64:
		return int64(v)
	case bool:
		if v {
			return "yes"
		}
		return "no"
	}
	return fmt.Sprint(v)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func text(v any) string {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return fmt.Sprint(v)
}

func itoa(n int) string { return strconv.Itoa(n) }
