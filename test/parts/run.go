package parts

import (
	"errors"
	"fmt"
	"os"
	"slices"
)

// Run is some parts that are up together.
type Run struct {
	Dir string // their run directory

	name  string
	stops []func() error
}

// NewRun makes the run directory of parts that are to be started.
func NewRun(name string) (*Run, error) {
	dir, err := NewRunDir(name)
	return &Run{Dir: dir, name: name}, err
}

// Ends says how a part ends that was started.
func (r *Run) Ends(stop func() error) { r.stops = append(r.stops, stop) }

// End ends every part, last started first. The directory stays, and is named, if not all was fine.
func (r *Run) End(fine bool) error {
	var failed error
	for _, stop := range slices.Backward(r.stops) {
		failed = errors.Join(failed, stop())
	}
	if fine && failed == nil {
		return os.RemoveAll(r.Dir)
	}
	fmt.Fprintf(os.Stderr, "\n%s: configurations and logs of the parts are in %s\n", r.name, r.Dir)
	return failed
}
