package kind

import (
	"encoding/json"
	"testing"
	"time"
)

func TestValuesForPeopleAndPrograms(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 31, 19, 0, time.Local)
	for _, c := range []struct {
		v                 Value
		short, long, json string
	}{
		{Text("x y"), "x y", "x y", `"x y"`},
		{Text(""), "-", "-", `""`},
		{Count(7), "7", "7", "7"},
		{Count(1<<64 - 1), "18446744073709551615", "18446744073709551615", "18446744073709551615"},
		{Bytes(0), "0", "0 bytes", "0"},
		{Bytes(1), "1", "1 byte", "1"},
		{Bytes(1023), "1023", "1023 bytes", "1023"},
		{Bytes(1024), "1K", "1 KiB (1024 bytes)", "1024"},
		{Bytes(1536), "1.5K", "1.5 KiB (1536 bytes)", "1536"},
		{Bytes(1025), "1.0K", "1.0 KiB (1025 bytes)", "1025"},
		{Bytes(2047), "1.9K", "1.9 KiB (2047 bytes)", "2047"},
		{Bytes(1<<20 - 1), "1023.9K", "1023.9 KiB (1048575 bytes)", "1048575"},
		{Bytes(64 << 20), "64M", "64 MiB (67108864 bytes)", "67108864"},
		{Bytes(1 << 60), "1E", "1 EiB (1152921504606846976 bytes)", "1152921504606846976"},
		{Bytes(1<<64 - 1), "15.9E", "15.9 EiB (18446744073709551615 bytes)", "18446744073709551615"},
		{Mode(0o640), "0640", "0640 (rw-r-----)", `"0640"`},
		{Mode(0), "0000", "0000 (---------)", `"0000"`},
		{Key(0x5eed), "0x00005eed", "0x00005eed", `"0x00005eed"`},
		{Key(0), "0x00000000", "0x00000000 (private)", `"0x00000000"`},
		{PID(0), "-", "-", "null"},
		{PID(812), "812", "812", "812"},
		{Marks(nil), "-", "none", "[]"},
		{Marks{"removed", "locked"}, "removed,locked", "removed, locked", `["removed","locked"]`},
		{Flag(true), "yes", "yes", "true"},
		{Flag(false), "no", "no", "false"},
		{Principal{"alice", 1000}, "alice", "alice (1000)", `"alice"`},
		{Principal{"1000", 1000}, "1000", "1000", `"1000"`},
		{Unknown("because"), "-", "unknown: because", "null"},
		{Time{}, "-", "never", "null"},
		{Time(at), "", at.Format("2006-01-02 15:04:05 -0700"), at.Format(`"2006-01-02T15:04:05Z07:00"`)},
		{List{}, "0", "0", "[]"},
		{List{Items: []Object{{Fields: []Field{{Name: "b", Value: Count(1)}, {Name: "a", Value: Text("<")}}}}}, "1", "1", `[{"b":1,"a":"\u003c"}]`},
	} {
		if got := c.v.Short(); got != c.short && c.short != "" {
			t.Errorf("%#v.Short() = %q, want %q", c.v, got, c.short)
		}
		if got := c.v.Long(); got != c.long {
			t.Errorf("%#v.Long() = %q, want %q", c.v, got, c.long)
		}
		if got, err := json.Marshal(c.v); err != nil || string(got) != c.json {
			t.Errorf("%#v is %s in JSON (%v), want %s", c.v, got, err, c.json)
		}
	}
}

func TestShortTimesSayNoMoreThanNeeded(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 31, 19, 0, time.Local)
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{now, "12:31"},
		{now.Add(-12 * time.Hour), "00:31"},
		{now.AddDate(0, 0, -1), "Nov22"},
		{now.AddDate(-1, 0, 0), "2025-Nov23"},
		{time.Time{}, "-"},
	} {
		if got := shortTime(c.at, now); got != c.want {
			t.Errorf("%v is %q, want %q", c.at, got, c.want)
		}
	}
}

func TestObjectsKeepTheOrderOfTheirFieldsInJSON(t *testing.T) {
	o := Object{Fields: []Field{{Name: "z", Value: Count(1)}, {Name: "a", Value: Mode(0o600), Machine: true}, {Name: "m", Value: Unknown("")}}}
	got, err := json.Marshal(o)
	if want := `{"z":1,"a":"0600","m":null}`; err != nil || string(got) != want {
		t.Errorf("%s (%v), want %s", got, err, want)
	}
	if o.Value("a") != Mode(0o600) || o.Value("none") != nil {
		t.Error("Value finds the wrong field")
	}
	if got, _ := json.Marshal(Object{}); string(got) != "{}" {
		t.Errorf("an empty object is %s", got)
	}
}

func TestOptionsOfAnotherTypeAreNotGiven(t *testing.T) {
	o := Options{"size": int64(7), "mode": "0600"}
	if o.Int64("size") != 7 || o.Int64("none") != 0 || o.Mode("mode") != 0 || o.On("size") {
		t.Error("wrong option")
	}
	if _, ok := Given[string](o, "size"); ok {
		t.Error("a size is no text")
	}
}

func TestWhatThereIsNoneOfIsNull(t *testing.T) {
	for _, v := range []Value{PID(0), None{}, Time{}, Unknown("why")} {
		if text, err := json.Marshal(v); err != nil || string(text) != "null" {
			t.Errorf("%T: %s, %v", v, text, err)
		}
	}
	if text, err := json.Marshal(PID(7)); err != nil || string(text) != "7" {
		t.Errorf("%s, %v", text, err)
	}
}
