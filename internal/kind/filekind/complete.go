package filekind

import (
	"os"
	"path/filepath"
	"strings"
)

// Complete implements kind.Completer: as a shell completes the names of files.
func (Files) Complete(text string) []string {
	typed, ok := strings.CutPrefix(text, "file:")
	if !ok {
		return nil
	}
	dir, base := filepath.Split(typed)
	in := dir
	if in == "" {
		in = "."
	}
	entries, err := os.ReadDir(in)
	if err != nil {
		return nil // there is nobody to tell
	}
	var found []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, base) || base == "" && strings.HasPrefix(name, ".") {
			continue
		}
		info, err := os.Stat(filepath.Join(in, name))
		switch {
		case err != nil:
		case info.IsDir():
			found = append(found, "file:"+dir+name+"/")
		case info.Mode().IsRegular():
			found = append(found, "file:"+dir+name)
		}
	}
	return found
}
