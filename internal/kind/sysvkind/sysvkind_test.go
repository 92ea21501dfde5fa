package sysvkind_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/sysvkind"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

func TestMain(m *testing.M) {
	testenv.Main(m, map[string]testenv.Role{"look": look})
}

// at is the address of a key.
func at(kindName string, key int32) address.Address {
	return address.Address{Kind: kindName, Target: address.Key(uint32(key))}
}

var registry = kind.NewRegistry(sysvkind.Kinds()...)

// must returns the capability C of the kind of a.
func must[C any](t testing.TB, a address.Address) C {
	t.Helper()
	c, err := kind.Find[C](registry, a, "test", "capability")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// createAt makes an object of each kind's smallest size.
func createAt(t testing.TB, a address.Address, o kind.Options) (kind.Object, bool, error) {
	t.Helper()
	all := kind.Options{"size": int64(1), "count": int64(1), "mode": fs.FileMode(0o600)}
	for name, v := range o {
		all[name] = v
	}
	return must[kind.Creator](t, a).Create(a, all)
}

var kindNames = []string{"sysv", "sem", "msg"}

func TestCreateMakesThenOpens(t *testing.T) {
	for _, name := range kindNames {
		t.Run(name, func(t *testing.T) {
			a := at(name, testenv.Key(t))
			made, created, err := createAt(t, a, nil)
			if err != nil || !created {
				t.Fatalf("created %v, %v", created, err)
			}
			if got := made.Value("address").Short(); got != a.String() {
				t.Errorf("its address is %s, not %s", got, a)
			}
			again, created, err := createAt(t, a, nil)
			if err != nil || created {
				t.Fatalf("a second time: created %v, %v", created, err)
			}
			if again.Address != made.Address {
				t.Errorf("a second time: %s, not %s", again.Address, made.Address)
			}
			_, _, err = createAt(t, a, kind.Options{"exclusive": true})
			if !errors.Is(err, fs.ErrExist) {
				t.Errorf("exclusively: %v", err)
			}
			if _, err := must[kind.Remover](t, a).Remove(a); err != nil {
				t.Error(err)
			}
			if _, err := must[kind.Stater](t, a).Stat(a); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("stat after remove: %v", err)
			}
		})
	}
}

func TestCreateOpensOnlyWhatFits(t *testing.T) {
	a, b := at("sysv", testenv.Key(t)), at("sem", testenv.Key(t))
	for _, x := range []address.Address{a, b} {
		if _, _, err := createAt(t, x, kind.Options{"size": int64(100), "count": int64(2)}); err != nil {
			t.Fatal(err)
		}
		if _, created, err := createAt(t, x, kind.Options{"size": int64(99), "count": int64(1)}); err != nil || created {
			t.Errorf("%s, smaller: created %v, %v", x, created, err)
		}
		if _, _, err := createAt(t, x, kind.Options{"size": int64(101), "count": int64(3)}); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s, larger: %v", x, err)
		}
	}
}

func TestPrivateObjectsAreFoundByIdentifier(t *testing.T) {
	for _, name := range kindNames {
		private := address.Address{Kind: name, Target: address.Private{}}
		made, created, err := createAt(t, private, nil)
		if err != nil || !created {
			t.Fatalf("%s: created %v, %v", name, created, err)
		}
		if got := made.Value("address").Short(); got != made.Address.String() || !strings.HasPrefix(got, name+":id=") {
			t.Errorf("its address is %s", got)
		}
		if _, err := must[kind.Stater](t, private).Stat(made.Address); err != nil {
			t.Error(err)
		}
		// As an address of what exists it means nothing.
		var usage *kind.UsageError
		if _, err := must[kind.Remover](t, private).Remove(private); !errors.As(err, &usage) {
			t.Errorf("remove %s: %v", private, err)
		}
		if _, err := must[kind.Remover](t, private).Remove(made.Address); err != nil {
			t.Error(err)
		}
		if _, _, err := createAt(t, made.Address, nil); !errors.As(err, &usage) {
			t.Errorf("create %s: %v", made.Address, err)
		}
	}
}

func TestFtokAddressesMeanTheKeyOfThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with:colon")
	a := address.Address{Kind: "msg", Target: address.FromPath{Path: path, Project: 'A'}}
	if _, _, err := createAt(t, a, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the file: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := sysv.FromPath(path, 'A')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sysv.OpenQueue(key); err == nil {
		t.Skip("somebody has a queue with that key")
	}
	made, _, err := createAt(t, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer must[kind.Remover](t, a).Remove(a)
	if got := made.Value("key"); got != kind.Key(key) {
		t.Errorf("key %v, want %v", got, key)
	}
}

func TestSetChangesAllOfIt(t *testing.T) {
	for _, name := range kindNames {
		a := at(name, testenv.Key(t))
		if _, _, err := createAt(t, a, kind.Options{"count": int64(3)}); err != nil {
			t.Fatal(err)
		}
		o := kind.Options{"mode": fs.FileMode(0o640)}
		switch name {
		case "sem":
			o["value"] = []string{"0=7", "2=9"}
		case "msg":
			o["capacity"] = int64(4096)
		}
		if err := must[kind.Setter](t, a).Set(a, o); err != nil {
			t.Fatal(err)
		}
		got, err := must[kind.Stater](t, a).Stat(a)
		if err != nil {
			t.Fatal(err)
		}
		if got.Value("mode") != kind.Mode(0o640) {
			t.Errorf("%s: mode %v", name, got.Value("mode"))
		}
		switch name {
		case "sem":
			if v := semValues(t, got); fmt.Sprint(v) != "[7 0 9]" {
				t.Errorf("values %v", v)
			}
		case "msg":
			if got.Value("capacity") != kind.Bytes(4096) {
				t.Errorf("capacity %v", got.Value("capacity"))
			}
		}
	}
}

func semValues(t *testing.T, o kind.Object) []kind.Value {
	t.Helper()
	list, ok := o.Value("values").(kind.List)
	if !ok {
		t.Fatalf("values are %#v", o.Value("values"))
	}
	var all []kind.Value
	for _, item := range list.Items {
		all = append(all, item.Value("value"))
	}
	return all
}

func TestSemaphoreValuesAreCheckedBeforeAnyIsSet(t *testing.T) {
	a := at("sem", testenv.Key(t))
	if _, _, err := createAt(t, a, kind.Options{"count": int64(2)}); err != nil {
		t.Fatal(err)
	}
	set := must[kind.Setter](t, a)
	for _, c := range []struct {
		o     kind.Options
		usage bool
	}{
		{kind.Options{"value": []string{"0=1", "x"}}, true},
		{kind.Options{"value": []string{"0=1", "1=-1"}}, true},
		{kind.Options{"value": []string{"0=1", "1=32768"}}, true},
		{kind.Options{"value": []string{"0=1", "-1=1"}}, true},
		{kind.Options{"value": []string{"0=1", "2=1"}}, false},
		{kind.Options{"values": []string{"1", ""}}, true},
		{kind.Options{"values": []string{"1", "1", "1"}}, false},
		{kind.Options{"values": []string{"1"}}, false},
		{kind.Options{"values": []string{"1", "1"}, "value": []string{"0=1"}}, true},
	} {
		err := set.Set(a, c.o)
		var usage *kind.UsageError
		if err == nil || errors.As(err, &usage) != c.usage {
			t.Errorf("%v: %v", c.o, err)
		}
	}
	got, err := must[kind.Stater](t, a).Stat(a)
	if err != nil {
		t.Fatal(err)
	}
	if v := semValues(t, got); fmt.Sprint(v) != "[0 0]" {
		t.Errorf("values became %v", v)
	}
	if err := set.Set(a, kind.Options{"values": []string{"3", "4"}}); err != nil {
		t.Fatal(err)
	}
}

func TestSetChangesOwnerGroupAndModeTogether(t *testing.T) {
	testenv.RequireRoot(t)
	a := at("sysv", testenv.Key(t))
	if _, _, err := createAt(t, a, nil); err != nil {
		t.Fatal(err)
	}
	if err := must[kind.Setter](t, a).Set(a, kind.Options{"owner": uint32(65534), "group": uint32(65534), "mode": fs.FileMode(0o400)}); err != nil {
		t.Fatal(err)
	}
	got, err := must[kind.Stater](t, a).Stat(a)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]kind.Value{
		"owner_uid": kind.Count(65534), "group_gid": kind.Count(65534), "creator_uid": kind.Count(0), "creator_gid": kind.Count(0),
		"mode": kind.Mode(0o400),
	} {
		if got.Value(name) != want {
			t.Errorf("%s is %v, want %v", name, got.Value(name), want)
		}
	}
	if len(got.Owners) != 2 || got.Owners[0] != 65534 || got.Owners[1] != 0 {
		t.Errorf("owners %v", got.Owners)
	}
}

// look is another process that stats the addresses it is given.
func look(args []string) error {
	for _, text := range args {
		a, err := address.Parse(text)
		if err != nil {
			return err
		}
		k, err := kind.Find[kind.Stater](registry, a, "", "")
		if err != nil {
			return err
		}
		o, err := k.Stat(a)
		if err != nil {
			return err
		}
		values := "none"
		if v := o.Value("values"); v != nil {
			values = v.Long()
		}
		if err := testenv.Say("%s %s %s", o.Value("mode").Short(), o.Value("owner_uid").Short(), values); err != nil {
			return err
		}
	}
	return nil
}

func TestStatNeedsNoPermission(t *testing.T) {
	nobody := testenv.Nobody(t)
	var args []string
	for _, name := range kindNames {
		a := at(name, testenv.Key(t))
		made, _, err := createAt(t, a, nil)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, a.String(), made.Address.String())
	}
	p := testenv.StartWith(t, &testenv.StartOptions{Credential: nobody}, "look", args...)
	for _, values := range []string{"none", "none", "sem", "sem", "none", "none"} {
		if values == "sem" {
			values = "unknown: reading the values needs read permission; it belongs to uid 0, mode 0600"
		}
		p.Expect("0600 0 " + values)
	}
	if err := p.Wait(); err != nil {
		t.Fatalf("%v: %s", err, p.Stderr())
	}
}

func TestListHasWhatStatSays(t *testing.T) {
	for _, name := range kindNames {
		a := at(name, testenv.Key(t))
		made, _, err := createAt(t, a, nil)
		if err != nil {
			t.Fatal(err)
		}
		k, _ := registry.Kind(name)
		all, err := k.(kind.Lister).List()
		if err != nil {
			t.Fatal(err)
		}
		stat, err := must[kind.Stater](t, a).Stat(made.Address)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, o := range all {
			if o.Address != made.Address {
				continue
			}
			found = true
			for _, f := range o.Fields {
				if stat.Value(f.Name) == nil || stat.Value(f.Name).Long() != f.Value.Long() {
					t.Errorf("%s: %s is %v in the list and %v in stat", name, f.Name, f.Value, stat.Value(f.Name))
				}
			}
			for _, c := range k.(kind.Lister).Columns() {
				if o.Value(c.Field) == nil {
					t.Errorf("%s: column %s shows %s, which is no field", name, c.Heading, c.Field)
				}
			}
		}
		if !found {
			t.Errorf("%s is not in the list", made.Address)
		}
	}
}
