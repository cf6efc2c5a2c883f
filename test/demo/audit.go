package main

import (
	"os"
	"path/filepath"

	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// auditFile is where agentauth writes the audit stream.
func (s *stage) auditFile() string { return filepath.Join(s.Dir, "audit.log") }

// auditRecords are all that were written.
func (s *stage) auditRecords() (out []audit.Record, err error) {
	f, err := os.Open(s.auditFile())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for r, err := range audit.Read(f) {
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}
