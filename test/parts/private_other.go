//go:build !linux

package parts

import "errors"

// Private needs namespaces, which only Linux has.
func Private(func() (int, error)) (int, error) {
	return 1, errors.New("expected Linux: what is to run wants a network and mounts of its own")
}
