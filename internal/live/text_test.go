package live

import (
	"maps"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/internal/model"
)

func TestEveryCallThatIsPlayedHasAText(t *testing.T) {
	played := slices.Sorted(maps.Keys(plays))
	for _, call := range played {
		if texts[call] == nil {
			t.Errorf("%s has no text", call)
		}
	}
	if len(texts) != len(played)+1 { // exit is played by nobody
		t.Errorf("%d texts for %d calls", len(texts), len(played))
	}
}

func TestTextsAreThoseOfC(t *testing.T) {
	c := NewCast()
	c.Enter("A", process(42))
	c.ids["s0"] = 7
	for line, want := range map[string]string{
		"A memfd fd=d0": `memfd_create("A1", MFD_CLOEXEC)`,
		"A mmap fd=d1 addr=1p len=2p off=3p prot=rw- flags=shared,noreplace": "mmap(0x2000001000, 8192, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED_NOREPLACE, 101, 12288)",
		"A mmap len=1p flags=private,anonymous":                              "mmap(0x2000000000, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)",
		"A open fd=d0 from=A.d1 flags=w":                                     `open("/proc/42/fd/101", O_WRONLY|O_CLOEXEC)`,
		"A shmget id=s0 key=2 size=1p mode=640 flags=creat,excl":             "shmget(0x5eed0002, 4096, IPC_CREAT|IPC_EXCL|0640)",
		"A shmat id=s0 addr=4p flags=rdonly":                                 "shmat(7, 0x2000004000, SHM_RDONLY)",
		"A madvise addr=0 len=1p flags=populate-read":                        "madvise(0x2000000000, 4096, MADV_POPULATE_READ)",
		"A fallocate fd=d0 off=1p len=1p flags=keep,punch":                   "fallocate(100, FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 4096, 4096)",
		"A store addr=0 val=9":                                               "*(volatile char *)0x2000000000 = 9",
	} {
		op, err := model.ParseOp(line)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Text(op); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// A process with a number and nothing else.
type process int

func (p process) Pid() int                 { return int(p) }
func (process) Ask(string) (string, error) { return "", nil }
