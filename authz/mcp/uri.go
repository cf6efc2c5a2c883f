package mcp

import "strings"

// hasDotSegment says whether a URI has a segment "." or ".." in its path, also
// encoded or behind a "\": compared by its beginning it would be another resource
// than a server opens. A server that takes a URI for the name of a file knows no
// query and no fragment, so a "?" or "#" ends no path.
func hasDotSegment(uri string) bool {
	if !strings.Contains(uri, ".") && !strings.Contains(uri, "%") {
		return false
	}
	for segment := range strings.FieldsFuncSeq(encodedDots.Replace(uri), func(r rune) bool { return r == '/' || r == '\\' }) {
		if i := strings.IndexAny(segment, ";?#"); i >= 0 {
			segment = segment[:i]
		}
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

var encodedDots = strings.NewReplacer("%2e", ".", "%2E", ".", "%2f", "/", "%2F", "/", "%5c", "/", "%5C", "/")

// special are the schemes whose URIs the parser of browsers (WHATWG URL 4.2), by which
// the official SDKs read a URI before they look for its resource, makes others of; and
// their default ports.
var special = map[string]string{"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21", "file": ""}

// rewritten says whether a server may make another URI of one, and find a resource that
// the names of a policy do not tell from it.
func rewritten(uri string) bool {
	if encodesPlain(uri) {
		return true
	}
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || strings.Trim(scheme, schemeCharacters) != "" {
		return false
	}
	if scheme != strings.ToLower(scheme) {
		return true
	}
	port, ok := special[scheme]
	if !ok {
		return false
	}
	authority, ok := strings.CutPrefix(rest, "//")
	if !ok || strings.Contains(rest, `\`) {
		return true
	}
	path := ""
	if i := strings.IndexAny(authority, "/?#"); i >= 0 {
		authority, path = authority[:i], authority[i:]
	}
	if scheme == "file" && strings.Contains(path, "//") { // one slash to a system of files
		return true
	}
	return !plainAuthority(scheme, authority, port)
}

const schemeCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-."

// plainAuthority says whether the authority of a special scheme stays what it is. That of
// a template may have expressions.
func plainAuthority(scheme, authority, defaultPort string) bool {
	if scheme == "file" && authority == "localhost" || scheme != "file" && authority == "" {
		return false
	}
	for _, r := range authority {
		if r > '~' || r == '@' || r == '%' || r >= 'A' && r <= 'Z' && !strings.Contains(authority, "{") {
			return false
		}
	}
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		port := authority[i+1:]
		return port != "" && port != defaultPort && port[0] != '0'
	}
	return true
}

// encodesPlain says whether a character is percent-encoded that needs no encoding: with
// it or without it, a URI is the same (RFC 3986 6.2.2.2).
func encodesPlain(uri string) bool {
	for i := strings.IndexByte(uri, '%'); i >= 0 && i+2 < len(uri); i++ {
		if uri[i] != '%' {
			continue
		}
		high, low := unhex(uri[i+1]), unhex(uri[i+2])
		if high < 0 || low < 0 {
			continue
		}
		if c := byte(high<<4 | low); strings.IndexByte(unreserved, c) >= 0 {
			return true
		}
	}
	return false
}

const unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"

// unhex is the value of a hexadecimal digit; -1 for what is none.
func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
