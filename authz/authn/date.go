package authn

import (
	"fmt"
	"strconv"
	"time"
)

// endOfDates is the end of the year 9999 in seconds since 1970.
const endOfDates = 253402300800

// numericDate reads RFC 7519 2's NumericDate; years before 1970 or after 9999
// are no dates.
func numericDate(v any) (time.Time, bool) {
	switch n := v.(type) {
	case int64:
		if n >= 0 && n < endOfDates {
			return time.Unix(n, 0), true
		}
	case float64:
		if n >= 0 && n < endOfDates {
			return time.Unix(int64(n), 0), true
		}
	}
	return time.Time{}, false
}

// noDate says what is wrong with a claim that numericDate does not take.
func noDate(name, section string, v any) string {
	expected := "expected a number of seconds since 1970 (RFC 7519 " + section + ")"
	var n float64
	switch v := v.(type) {
	case nil:
		return name + " is missing, " + expected + ": tokens without an end are not accepted"
	case int64:
		n = float64(v)
	case float64:
		n = v
	default:
		return name + " is " + kind(v) + ", " + expected
	}
	written := strconv.FormatFloat(n, 'f', -1, 64)
	if n < 0 {
		return fmt.Sprintf("%s is %s, a time before 1970, %s", name, brief(written), expected)
	}
	like := "which is no date"
	for _, unit := range []struct {
		name string
		size float64
	}{{"milliseconds", 1e3}, {"microseconds", 1e6}, {"nanoseconds", 1e9}} {
		if n/unit.size < endOfDates {
			like = "beyond the year 9999: it looks like " + unit.name
			break
		}
	}
	return fmt.Sprintf("%s is %s, %s, %s", name, brief(written), like, expected)
}

// kind is the kind of a JSON value, with its article.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a text"
	case int64, float64:
		return "a number"
	case bool:
		return "a bool"
	case []any:
		return "a list"
	}
	return "an object"
}
