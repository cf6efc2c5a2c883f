package main

import (
	"errors"
	"strings"

	"github.com/spf13/pflag"
)

// flagError says of a flag that cannot be read what is expected of it. Of what was
// given it repeats as much as the library does.
func flagError(err error) string {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err.Error()
	}
	expected := map[string]string{
		"duration": "a duration such as 30s or 5m", "bool": "true or false (--" + invalid.GetFlag().Name + " alone is true)",
		"stringSlice": "words, separated by commas", "int": "a whole number",
	}[invalid.GetFlag().Value.Type()]
	if expected == "" {
		return err.Error()
	}
	return "--" + invalid.GetFlag().Name + " " + strings.TrimSpace(invalid.GetValue()) + ": expected " + expected
}
