// Package lint holds no code, only tests: the rules of this module that no
// linter knows. Each rule stands in one file beside a test that breaks it on
// purpose, in memory, so that a rule which can't fail is found out.
//
// A rule that gets in the way is changed here, in the same commit and with the
// reason, never worked around.
package lint
