package top

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func TestPlainTextIsOneLineOfPrintableCharacters(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "",
		"/frames 1":           "/frames 1",
		"grün 日本":             "grün 日本",
		"e\u0301":             "e\u0301",
		"e\u0301\u0301\u0301": "e\u0301\u0301\\u0301",
		"\u0301x":             "\\u0301x",
		"a\nb\x1b[1m":         "a\\nb\\x1b[1m",
		"\xffx":               "\\xffx",
		"\ufffd":              "\ufffd",
		"\u202e\u200b":        "\\u202e\\u200b",
		"☺\ufe0f":             "☺\\ufe0f",
		"\u009b":              "\\u009b",
		"\u00a0":              "\\u00a0",
	} {
		if got := plain(text); got != want {
			t.Errorf("plain(%q) = %q, want %q", text, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := plain(rapid.String().Draw(t, "text") + string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")))
		if plain(text) != text {
			t.Fatalf("%q is not plain: %q", text, plain(text))
		}
		if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q", text)
		}
		cells := rapid.IntRange(0, 20).Draw(t, "cells")
		if n := wide(cut(text, cells)); n > cells {
			t.Fatalf("%q in %d cells is %q, %d", text, cells, cut(text, cells), n)
		}
		if n := wide(cutInside(text, cells)); n > cells {
			t.Fatalf("%q in %d cells is %q, %d", text, cells, cutInside(text, cells), n)
		}
		if n := wide(padded(text, cells, cells%2 == 0)); n != cells {
			t.Fatalf("%q padded to %d has %d", text, cells, n)
		}
		if head, tail := split(text, cells); head+tail != text || wide(head) > cells {
			t.Fatalf("%q: %q, %q", text, head, tail)
		}
	})
}

func TestWhatIsCutSaysSo(t *testing.T) {
	for _, c := range []struct {
		text  string
		cells int
		want  string
	}{{"abcdef", 6, "abcdef"}, {"abcdef", 5, "abcd~"}, {"abcdef", 1, "~"}, {"abcdef", 0, ""}, {"日本語", 6, "日本語"}, {"日本語", 5, "日本~"}, {"日本語", 4, "日~"}} {
		if got := cut(c.text, c.cells); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.text, c.cells, got, c.want)
		}
	}
	for _, c := range []struct {
		text  string
		cells int
		want  string
	}{{"file:/a/b/c/d.db", 16, "file:/a/b/c/d.db"}, {"file:/a/b/c/d.db", 12, "file~/c/d.db"}, {"file:/a/b/c/d.db", 7, "file:/~"}, {"日本語日本語日本語", 12, "日本~日本語"}} {
		if got := cutInside(c.text, c.cells); got != c.want {
			t.Errorf("cutInside(%q, %d) = %q, want %q", c.text, c.cells, got, c.want)
		}
	}
}
