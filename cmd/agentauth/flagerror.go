package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/agentauth-dev/agentauth/authz"
)

// meantFlag is what a flag that is unknown may be: one that is spelt nearly so, or the only
// one that begins so, else where they are explained.
func meantFlag(cmd *cobra.Command, name string) string {
	var known, longer []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		known = append(known, f.Name)
		if strings.HasPrefix(f.Name, name) {
			longer = append(longer, f.Name)
		}
	})
	switch near := authz.Near(name, known); {
	case len(name) > 1 && near != "":
		return "; did you mean --" + near + "?"
	case len(name) > 1 && len(longer) == 1:
		return "; did you mean --" + longer[0] + "?"
	}
	return "; " + cmd.CommandPath() + " --help has those that there are"
}

// flagError says of a flag that cannot be read what is expected of it. Of what was
// given it repeats as much as the library does.
func flagError(cmd *cobra.Command, err error) string {
	if unknown := (*pflag.NotExistError)(nil); errors.As(err, &unknown) {
		return err.Error() + meantFlag(cmd, unknown.GetSpecifiedName())
	}
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
