package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/memfdkind"
	"github.com/shmkit/shmkit/memfd"
)

func newMemfdCommand(a *app) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "memfd",
		Short: "Start programs with sealed memory",
		Long: `Memfd starts programs with memory that has no name, is sealed, and goes with the
last process that holds it. What programs hold is shown by "shmkit ls memfd".`,
		Example: `  shmkit memfd run --size 64M -- ./worker
  shmkit memfd run --from model.bin --seals shrink,grow,write,seal -- ./infer {}`,
	})
	cmd.AddCommand(newMemfdRunCommand(a))
	return cmd
}

func newMemfdRunCommand(a *app) *cobra.Command {
	var r memfdRun
	cmd := &cobra.Command{
		Use:   "run [flags] -- PROGRAM [ARG…]",
		Short: "Become a program that is handed sealed memory",
		Long: `Run makes memory without a name, and becomes PROGRAM, which inherits a descriptor of
it. Nothing of shmkit is left then: signals go to the program, and the exit code is
its own. The memory goes with the last process that holds it.

The program finds the memory by the environment variable SHMKIT_MEMFD, which says
NAME:DESCRIPTOR:DEVICE:INODE (in Go: memfd.Inherited("NAME", nil)), or by an
argument: {} is replaced by its path, /proc/self/fd/N.

With --from it holds the content of a file, or of standard input (-), and is as long
as that unless --size says longer. Seals hold for everybody and for ever: shrink,
grow, write, future-write, exec, and seal, which forbids further ones. "none" is
none of them.`,
		Example: `  shmkit memfd run --size 64M -- ./worker
  shmkit memfd run --from data.csv --seals shrink,grow,write,seal -- wc -l {}
  zstd -dc model.zst | shmkit memfd run --from - --name model -- ./infer {}`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("PROGRAM is missing: %s", cmd.UseLine())
			}
			return nil
		},
		ValidArgsFunction: completeCommand,
		RunE:              func(cmd *cobra.Command, args []string) error { return r.run(cmd, a, args) },
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().Var(&r.size, "size", "how much memory")
	r.seals = textFlag{strings.Join(memfdkind.SealMarks(memfd.DefaultSeals), ","), "SEALS"}
	cmd.Flags().Var(&r.seals, "seals", "seals, with commas between")
	completeFlag(cmd, "seals", true, memfdkind.SealNames()...)
	r.from = textFlag{"", "FILE"}
	cmd.Flags().Var(&r.from, "from", "fill it with this file, - is standard input")
	r.name = textFlag{"shmkit", "NAME"}
	cmd.Flags().Var(&r.name, "name", "name by which the program finds it")
	cmd.Flags().BoolVarP(&r.verbose, "verbose", "v", false, "say what the program is handed, on standard error")
	cmd.Flags().BoolVar(&r.asJSON, "json", false, "say so as one JSON object on a line of standard error: the output is the program's")
	return cmd
}

type memfdRun struct {
	size              sizeFlag
	seals, from, name textFlag
	verbose, asJSON   bool
}

// handedJSON is what the program is handed, for programs. The keys are stable.
type handedJSON struct {
	Name  string     `json:"name"`
	FD    int        `json:"fd"`
	Path  string     `json:"path"`
	Bytes int64      `json:"bytes"`
	Seals kind.Marks `json:"seals"`
}

// placeholder stands for the path of the memory in the program's arguments.
const placeholder = "{}"

func (r *memfdRun) run(cmd *cobra.Command, a *app, args []string) error {
	seals, err := memfd.ParseSeals(r.seals.text)
	if err != nil {
		return usagef("--seals: %v", err)
	}
	switch {
	case !r.size.given && r.from.text == "":
		return usagef("give --size or --from")
	case r.size.given && r.size.n < 1:
		return usagef("--size %d: what is to be mapped has at least 1 byte", r.size.n)
	case r.name.text == "":
		return usagef("--name is empty")
	}
	path, err := findProgram(args[0])
	if err != nil {
		return err
	}
	f, err := memfd.Create(r.name.text, r.size.n, memfd.NoSeals)
	if err != nil {
		return err
	}
	defer f.Close() // it goes with this process, unless the program takes it over
	if err := r.fill(cmd, a, f); err != nil {
		return err
	}
	if seals &^= memfd.NoSeals; seals != 0 {
		if err := f.AddSeals(seals); err != nil {
			return err
		}
	}
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	return r.become(a, f, path, args)
}

// fill writes the content.
func (r *memfdRun) fill(cmd *cobra.Command, a *app, f *memfd.File) error {
	if r.from.text == "" {
		return nil
	}
	src, _, err := a.openSource(cmd.Context(), r.from.text, cmd.CommandPath()+" --from - …")
	if err != nil {
		return err
	}
	defer src.Close()
	w := &growing{f: f, most: r.size.n}
	n, err := io.CopyBuffer(w, struct{ io.Reader }{src}, make([]byte, chunk))
	switch {
	case err != nil:
		return err
	case w.reserved > w.at:
		return f.Truncate(w.at)
	case n == 0 && !r.size.given:
		return fmt.Errorf("%s is empty, and what is to be mapped has at least 1 byte; --size says how many", sourceName(r.from.text))
	}
	return nil
}

func sourceName(name string) string {
	if name == "-" {
		return "standard input"
	}
	return name
}

// growing writes memory from its beginning on.
type growing struct {
	f interface {
		Reserve(off, n int64) error
		io.WriterAt
	}
	at       int64
	most     int64 // 0: it grows as needed
	reserved int64 // bytes, if it grows: what is left of them at the end is to be given back
}

// reservedAhead is how much is reserved at a time of content that does not end soon. Of
// pieces that large the memory is asked first whether it is there; in small ones all of a
// machine could be taken.
const reservedAhead = 128 << 20

// Write implements io.Writer.
func (g *growing) Write(p []byte) (int, error) {
	if g.most > 0 && int64(len(p)) > g.most-g.at {
		return 0, fmt.Errorf("the content does not fit: it is longer than the %d bytes of --size", g.most)
	}
	if g.most == 0 { // so that a machine without memory is an error and no kill
		if err := g.reserve(g.at + int64(len(p))); err != nil {
			return 0, err
		}
	}
	n, err := g.f.WriteAt(p, g.at)
	g.at += int64(n)
	return n, err
}

// reserve makes sure that there is memory up to end.
func (g *growing) reserve(end int64) error {
	if end <= g.reserved {
		return nil
	}
	to := max(end, g.reserved+min(g.reserved, reservedAhead))
	err := g.f.Reserve(g.reserved, to-g.reserved)
	if errors.Is(err, syscall.EFBIG) && to > end { // it may end before
		to = end
		err = g.f.Reserve(g.reserved, to-g.reserved)
	}
	if err == nil {
		g.reserved = to
	}
	return err
}

// become executes the program in this process.
func (r *memfdRun) become(a *app, f *memfd.File, path string, args []string) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	seals, err := f.Seals()
	if err != nil {
		return err
	}
	fd, env, err := memfd.PassExec(os.Environ(), r.name.text, f)
	if err != nil {
		return err
	}
	argv := []string{args[0]}
	for _, arg := range args[1:] {
		argv = append(argv, strings.ReplaceAll(arg, placeholder, fmt.Sprintf("/proc/self/fd/%d", fd)))
	}
	switch {
	case r.asJSON:
		text, err := json.Marshal(handedJSON{r.name.text, fd, fmt.Sprintf("/proc/self/fd/%d", fd), size, memfdkind.SealMarks(seals)})
		if err != nil {
			return err
		}
		fmt.Fprintf(a.err, "%s\n", text)
	case r.verbose:
		fmt.Fprintf(a.err, "%s: %s, sealed %v, for %s\n", oneLine(f.String()), formatSize(uint64(size)), seals, oneLine(args[0]))
	}
	err = syscall.Exec(path, argv, env)
	if errors.Is(err, syscall.ENOENT) { // of its interpreter
		return fmt.Errorf("%s cannot be started: its interpreter is missing", args[0])
	}
	return notStarted(args[0], err)
}
