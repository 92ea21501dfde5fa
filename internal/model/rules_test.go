package model

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A sentence is one reason that the source of this package can give, and where.
type sentence struct {
	text string
	at   string
}

// sentences reads all of them out of the source: the literals that done, refuse and fault
// are called with. So no list has to be kept, and no rule is forgotten.
func sentences(t *testing.T) []sentence {
	t.Helper()
	fset := token.NewFileSet()
	var found []sentence
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, e.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if text, ok := reasonOf(t, fset, call); ok {
					found = append(found, sentence{text, fset.Position(call.Pos()).String()})
				}
			}
			return true
		})
	}
	return found
}

// reasonOf returns the sentence of a call to done, refuse or fault.
func reasonOf(t *testing.T, fset *token.FileSet, call *ast.CallExpr) (string, bool) {
	name, ok := call.Fun.(*ast.Ident)
	if !ok {
		return "", false
	}
	argument, ok := map[string]int{"done": 0, "refuse": 1, "fault": 1}[name.Name]
	if !ok {
		return "", false
	}
	literal, ok := call.Args[argument].(*ast.BasicLit)
	if !ok {
		if inner, ok := call.Args[argument].(*ast.Ident); ok && inner.Name == "why" {
			return "", false // inside of those functions
		}
		t.Fatalf("%v: the reason is no literal", fset.Position(call.Pos()))
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		t.Fatal(err)
	}
	return text, true
}

// What is tolerated is told.
func TestDisagreementsThatDoNotComeAgainAreCounted(t *testing.T) {
	d := &differential{played: 7, said: map[string]int{"a": 1}}
	if got := d.summary(); got != "7 random operations agree, for 1 reasons; no script disagreed once and not again" {
		t.Errorf("%q", got)
	}
	c := &comparison{once: func(one *disagreement) { d.once = append(d.once, one.String()) }}
	one := &disagreement{step: 2, op: Op{Proc: "A", Call: "peek"}, what: "outcome", model: "0", kernel: "1", why: "because"}
	for i := range mostDisturbed + 1 {
		answers := []*disagreement{one, nil}
		got := c.settle(func() *disagreement {
			defer func() { answers = answers[1:] }()
			return answers[0]
		})
		if (got == nil) != (i < mostDisturbed) {
			t.Errorf("number %d: %v", i+1, got)
		}
	}
	if got := c.settle(func() *disagreement { return one }); got != one {
		t.Errorf("what comes again is %v", got)
	}
	if c.settle(func() *disagreement { return nil }) != nil || len(d.once) != mostDisturbed+1 {
		t.Errorf("%d were taken down", len(d.once))
	}
	if got := d.summary(); !strings.Contains(got, "4 scripts disagreed once and not again") || strings.Count(got, "step 3, A peek") != 4 {
		t.Errorf("%q", got)
	}
}

func TestEveryReasonIsASentenceOfItsOwn(t *testing.T) {
	seen := map[string]string{}
	for _, s := range sentences(t) {
		if other, ok := seen[s.text]; ok {
			t.Errorf("%s says the same as %s: %q", s.at, other, s.text)
		}
		seen[s.text] = s.at
		if !strings.HasSuffix(s.text, ".") && !strings.HasSuffix(s.text, "%s") {
			t.Errorf("%s: no sentence: %q", s.at, s.text)
		}
	}
	if len(seen) < 100 {
		t.Fatalf("only %d reasons found in the source", len(seen))
	}
}

// A step's expectation holds behind the steps that were before it. So leaving one out must
// not make a failure of its own, which would stay when the disagreement is mended.
func TestShorteningKeepsTheDisagreement(t *testing.T) {
	script := Script{
		{Op: Op{Call: "memfd"}}, {Op: Op{Call: "pipe"}}, {Op: Op{Call: "seal"}}, {Op: Op{Call: "truncate"}, Want: "EPERM"}, {Op: Op{Call: "size"}},
	}
	disagrees := true
	run := func(s Script) *disagreement {
		before := map[string]bool{}
		for i, step := range s {
			if step.Op.Call == "truncate" {
				sealed := before["memfd"] && before["seal"]
				switch {
				case step.Want != "" && (disagrees || !sealed):
					return &disagreement{step: i, what: "the script expects"}
				case disagrees && sealed:
					return &disagreement{step: i, what: "outcome"}
				}
			}
			before[step.Op.Call] = true
		}
		return nil
	}
	calls := func(s Script) (all []string) {
		for _, step := range s {
			all = append(all, step.Op.Call+step.Want)
		}
		return all
	}
	s, d := shorten(script, run)
	if got := calls(s); d == nil || d.what != "outcome" || !slices.Equal(got, []string{"memfd", "seal", "truncate"}) {
		t.Errorf("%v, %v", got, d)
	}
	// Both agree on something else than the script says: that needs all that is before it.
	disagrees = false
	script[0].Op.Call = "tmpfile"
	s, d = shorten(script, run)
	if got := calls(s); d == nil || !slices.Equal(got, []string{"tmpfile", "pipe", "seal", "truncateEPERM"}) {
		t.Errorf("%v, %v", got, d)
	}
	script = script[:3]
	if s, d = shorten(script, run); d != nil || len(s) != 3 {
		t.Errorf("%v, %v", calls(s), d)
	}
}
