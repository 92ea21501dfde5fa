package lint

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"iter"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A tree is the module's source, parsed.
type tree struct {
	fset   *token.FileSet
	module string            // module path
	gomod  string            // text of go.mod
	files  []*goFile         // what the go command would compile, for whatever platform
	texts  map[string]string // every text file by path, documents and scripts too
	hidden []string          // patterns of .gitignore: files that are nobody's source
}

// A goFile is one Go source file.
type goFile struct {
	path string // slash-separated, from the module's root
	dir  string // folder; "." for the root
	text string
	ast  *ast.File
}

// isTest reports whether the file is compiled for tests only.
func (f *goFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// lines returns the lines of the file; line n of a position is element n-1.
func (f *goFile) lines() []string {
	return strings.Split(strings.TrimSuffix(f.text, "\n"), "\n")
}

// load reads a tree whose root holds go.mod.
func load(root fs.FS) (*tree, error) {
	gomod, err := fs.ReadFile(root, "go.mod")
	if err != nil {
		return nil, err
	}
	tr := &tree{fset: token.NewFileSet(), gomod: string(gomod), texts: map[string]string{}}
	for line := range strings.Lines(tr.gomod) {
		if rest, ok := strings.CutPrefix(line, "module "); ok {
			tr.module = strings.TrimSpace(rest)
		}
	}
	if tr.module == "" {
		return nil, errors.New("go.mod has no module line")
	}
	if text, err := fs.ReadFile(root, ".gitignore"); err == nil {
		tr.hidden = strings.Fields(string(commentLine.ReplaceAll(text, nil)))
	}
	ignored := map[string]bool{} // folders that the go command doesn't look into
	return tr, fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if p == ".git" || tr.ignoredByGit(p, d) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			ignored[p] = ignored[path.Dir(p)] || ignoredByGo(root, p)
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		return tr.add(root, p, ignored[path.Dir(p)])
	})
}

var commentLine = regexp.MustCompile(`(?m)^#.*$`)

// ignoredByGit reports whether .gitignore leaves the file or folder out. It knows
// the patterns in use there: a name with wildcards, with a slash before it for
// the root only, and one behind it for folders only.
func (tr *tree) ignoredByGit(p string, d fs.DirEntry) bool {
	return slices.ContainsFunc(tr.hidden, func(pattern string) bool {
		name, folder := strings.CutSuffix(pattern, "/")
		name, rooted := strings.CutPrefix(name, "/")
		if folder && !d.IsDir() || rooted && path.Dir(p) != "." {
			return false
		}
		match, err := path.Match(name, path.Base(p))
		return err == nil && match
	})
}

// ignoredByGo reports whether ./... leaves out the folder: by its name, or
// because it is a module of its own.
func ignoredByGo(root fs.FS, dir string) bool {
	if dir == "." {
		return false
	}
	base := path.Base(dir)
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := fs.Stat(root, dir+"/go.mod")
	return err == nil
}

func (tr *tree) add(root fs.FS, p string, ignored bool) error {
	content, err := fs.ReadFile(root, p)
	if err != nil {
		return err
	}
	if bytes.IndexByte(content, 0) >= 0 {
		return nil // not a text
	}
	text := string(content)
	tr.texts[p] = text
	if ignored || path.Ext(p) != ".go" || strings.HasPrefix(path.Base(p), "_") || strings.HasPrefix(path.Base(p), ".") {
		return nil
	}
	parsed, err := parser.ParseFile(tr.fset, p, text, parser.ParseComments)
	if err != nil {
		return err
	}
	tr.files = append(tr.files, &goFile{path: p, dir: path.Dir(p), text: text, ast: parsed})
	return nil
}

// at formats a violation with its place.
func (tr *tree) at(pos token.Pos, format string, args ...any) string {
	p := tr.fset.Position(pos)
	return fmt.Sprintf("%s:%d: %s", p.Filename, p.Line, fmt.Sprintf(format, args...))
}

// imports yields the path of each import of the file, with its declaration.
func (f *goFile) imports() iter.Seq2[string, *ast.ImportSpec] {
	return func(yield func(string, *ast.ImportSpec) bool) {
		for _, spec := range f.ast.Imports {
			// The parser has checked the literal.
			if p, err := strconv.Unquote(spec.Path.Value); err == nil && !yield(p, spec) {
				return
			}
		}
	}
}

// internal returns the folder, in this module, of the package with the import
// path; ok is false for packages of other modules.
func (tr *tree) internal(importPath string) (dir string, ok bool) {
	if importPath == tr.module {
		return ".", true
	}
	return strings.CutPrefix(importPath, tr.module+"/")
}

// uses yields every mention of something of the imported package, such as
// time.Sleep for "time". It goes by the name under which the file imports it.
func (f *goFile) uses(importPath string) iter.Seq[*ast.SelectorExpr] {
	return func(yield func(*ast.SelectorExpr) bool) {
		for p, spec := range f.imports() {
			if p != importPath {
				continue
			}
			name := path.Base(p)
			if spec.Name != nil {
				name = spec.Name.Name
			}
			for n := range ast.Preorder(f.ast) {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					continue
				}
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == name && !yield(sel) {
					return
				}
			}
		}
	}
}

// within reports whether dir is one of the patterns: a folder, or a folder with
// "/..." for it and everything below.
func within(dir string, patterns ...string) bool {
	for _, p := range patterns {
		base, below := strings.CutSuffix(p, "/...")
		if dir == base || below && strings.HasPrefix(dir, base+"/") {
			return true
		}
	}
	return false
}
