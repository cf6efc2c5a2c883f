package docs_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

func TestEveryFieldOfTheAuditStreamIsDescribed(t *testing.T) {
	rows := map[string]string{}
	for line := range strings.SplitSeq(read(t, "audit.md"), "\n") {
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			for _, name := range strings.Split(cells[1], ",") {
				rows[strings.Trim(name, " `")] = line
			}
		}
	}
	var known []string
	described := map[reflect.Type]bool{} // with the names of their fields
	var walk func(of reflect.Type, name, row string)
	walk = func(of reflect.Type, name, row string) {
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if line, ok := rows[name]; ok && name != "" {
			known, row = append(known, name), line
			if described[of] && strings.Contains(row, "The same fields") {
				return
			}
			described[of] = of.Kind() == reflect.Struct
		}
		if of.Kind() != reflect.Struct || of == reflect.TypeFor[time.Time]() {
			if last := name[strings.LastIndexByte(name, '.')+1:]; row == "" || !strings.Contains(row, last+"`") {
				t.Errorf("audit.md: expected a row of %s, or its name in the row of what it is in, got %q", name, row)
			}
			return
		}
		for f := range of.Fields() {
			json, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			walk(f.Type, strings.TrimPrefix(name+"."+json, "."), row)
		}
	}
	walk(reflect.TypeFor[audit.Record](), "", "")
	fields, _, _ := strings.Cut(read(t, "audit.md"), "## Personal data")
	for _, name := range quoted(firstCells(fields)) {
		if !slices.Contains(known, name) {
			t.Errorf("audit.md: %s is no field of a record", name)
		}
	}
}
