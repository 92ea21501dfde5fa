package sysv_test

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/sysv"
)

// A procRow is a line of one of the tables in /proc/sysvipc, by column: what the
// kernel says of all objects without being asked through system calls.
type procRow map[string]string

// procTable reads /proc/sysvipc/NAME.
func procTable(t testing.TB, name string) []procRow {
	t.Helper()
	text, err := os.ReadFile("/proc/sysvipc/" + name)
	succeeds(t, err)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	columns := strings.Fields(lines[0])
	var rows []procRow
	for _, line := range lines[1:] {
		row := procRow{}
		for i, field := range strings.Fields(line) {
			row[columns[i]] = field
		}
		rows = append(rows, row)
	}
	return rows
}

// procPermission is what both tables say of a permission.
func procPermission(p sysv.Permission, id string) procRow {
	return procRow{
		"key": fmt.Sprint(int32(p.Key)), id: fmt.Sprint(p.ID), "perms": fmt.Sprintf("%o", uint32(p.Mode&fs.ModePerm)),
		"uid": fmt.Sprint(p.UID), "gid": fmt.Sprint(p.GID), "cuid": fmt.Sprint(p.CreatorUID), "cgid": fmt.Sprint(p.CreatorGID),
	}
}

func procTime(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return fmt.Sprint(t.Unix())
}
