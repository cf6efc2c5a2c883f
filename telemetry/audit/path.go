package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// PathMode is how a path is recorded. Paths may hold what identifies people.
type PathMode string

// The forms of a path. None has the query.
const (
	// PathFull is the path as it was sent.
	PathFull PathMode = "full"
	// PathTemplate has {} for each segment that looks like an identifier: one with a
	// digit, an @, a percent-encoding, or more than 32 bytes. A version as in /v1 is none.
	PathTemplate PathMode = "template"
	// PathHash is a keyed hash (HMAC-SHA-256), whose key the process makes when it
	// starts and never shows: equal paths of one process have equal hashes.
	PathHash PathMode = "hash"
	// PathNone leaves it out.
	PathNone PathMode = "none"
)

// PathModes are all of them.
func PathModes() []PathMode { return []PathMode{PathFull, PathTemplate, PathHash, PathNone} }

// ParsePathMode reads the name of a mode.
func ParsePathMode(name string) (PathMode, error) {
	for _, m := range PathModes() {
		if string(m) == name {
			return m, nil
		}
	}
	return "", fmt.Errorf("expected full, template, hash or none, got %q", name)
}

// PathOf is the path of a target of a request: without query, fragment, and the user of a
// URL.
func PathOf(target string) string {
	target, _, _ = strings.Cut(target, "?")
	target, _, _ = strings.Cut(target, "#")
	return WithoutUser(target)
}

// paths writes paths in one mode.
type paths struct {
	mode PathMode
	key  []byte
}

func (p *paths) of(path string) string {
	path = PathOf(path)
	switch p.mode {
	case PathNone:
		return ""
	case PathHash:
		h := hmac.New(sha256.New, p.key)
		h.Write([]byte(path))
		return "hmac-sha256:" + hex.EncodeToString(h.Sum(nil)[:16])
	case PathTemplate:
		return brief(template(path))
	case PathFull:
	}
	return brief(path)
}

// longest is the longest segment of a template, in bytes.
const longest = 32

func template(path string) string {
	if len(path) > 8*maxText {
		path = path[:8*maxText]
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		s, _, _ := strings.Cut(s, ";")
		segments[i] = s
		if !isVersion(s) && (len(s) > longest || strings.ContainsAny(s, "0123456789@%")) {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

// isVersion says whether a segment is a version of an API: v and one or two digits.
func isVersion(s string) bool {
	return len(s) >= 2 && len(s) <= 3 && s[0] == 'v' && strings.Trim(s[1:], "0123456789") == ""
}
