package apikey

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

// named says that the entry id is a key itself.
var named = map[string]string{"agentauth.dev/plain-keys": "other id"}

func TestOnlyDigestsOfKeysAreKept(t *testing.T) {
	const key = "a-key-of-more-than-twenty-bytes"
	sum := sha256.Sum256([]byte(key))
	digest := digestPrefix + hex.EncodeToString(sum[:])
	upper := digestPrefix + strings.ToUpper(hex.EncodeToString(sum[:]))
	for name, c := range map[string]struct{ value, want string }{
		"a key becomes its digest":                          {key, digest},
		"a key of 20 bytes is long enough":                  {key[:20], ""},
		"a key of 512 bytes is not too long":                {strings.Repeat("k", 512), ""},
		"a digest stays":                                    {digest, digest},
		"a digest in upper case becomes lower case":         {upper, digest},
		"a key of 19 bytes is too short":                    {key[:19], invalidPrefix + keyTooShort},
		"an empty entry is too short":                       {"", invalidPrefix + keyTooShort},
		"a key of 513 bytes is too long":                    {strings.Repeat("k", 513), invalidPrefix + keyTooLong},
		"a key with a trailing newline is refused":          {key + "\n", invalidPrefix + keyEndsInLine},
		"a key with a trailing CR LF is refused":            {key + "\r\n", invalidPrefix + keyEndsInLine},
		"a digest with a trailing newline is refused":       {digest + "\n", invalidPrefix + keyEndsInLine},
		"a key with a comma is refused":                     {key + ",more", invalidPrefix + keyHasComma},
		"a key with a space is refused":                     {key + " more", invalidPrefix + keyHasSpace},
		"a key with a tab is refused":                       {"\t" + key, invalidPrefix + keyHasSpace},
		"a key with a NUL is refused":                       {key + "\x00", invalidPrefix + keyNotASCII},
		"a key with a DEL is refused":                       {key + "\x7f", invalidPrefix + keyNotASCII},
		"a key beyond ASCII is refused":                     {key + "é", invalidPrefix + keyNotASCII},
		"a key that is no UTF-8 is refused":                 {key + "\xff", invalidPrefix + keyNotASCII},
		"a digest that is too short is no key":              {digest[:len(digest)-1], invalidPrefix + keyBadDigest},
		"a digest that is too long is no key":               {digest + "0", invalidPrefix + keyBadDigest},
		"a digest that is no hex is no key":                 {digest[:len(digest)-1] + "g", invalidPrefix + keyBadDigest},
		"a digest with its prefix in upper case is no key":  {strings.ToUpper(digest), invalidPrefix + keyBadDigest},
		"64 hex digits lack their prefix":                   {digest[len(digestPrefix):], invalidPrefix + keyLacksPrefix},
		"64 hex digits in upper case lack it too":           {upper[len(digestPrefix):], invalidPrefix + keyLacksPrefix},
		"64 hex digits and a newline lack it too":           {digest[len(digestPrefix):] + "\n", invalidPrefix + keyLacksPrefix},
		"63 hex digits are a key":                           {digest[len(digestPrefix)+1:], ""},
		"what looks like a refused entry is refused itself": {invalidPrefix + key, invalidPrefix + keyReserved},
	} {
		t.Run(name, func(t *testing.T) {
			want := c.want
			if want == "" {
				sum := sha256.Sum256([]byte(c.value))
				want = digestPrefix + hex.EncodeToString(sum[:])
			}
			data := map[string][]byte{"id": []byte(c.value)}
			once := Digest(named, data)
			if string(once["id"]) != want {
				t.Fatalf("got %s, want %s", once["id"], want)
			}
			if string(data["id"]) != c.value {
				t.Error("the map that was given changed")
			}
			if twice := Digest(named, once); !bytes.Equal(twice["id"], once["id"]) {
				t.Errorf("doing it twice gives %s, want %s", twice["id"], once["id"])
			}
			got, problem := ParseDigest(once["id"])
			if refused, ok := strings.CutPrefix(want, invalidPrefix); ok {
				if problem != refused {
					t.Errorf("the problem is %q, want %q", problem, refused)
				}
				return
			}
			if problem != "" || digestPrefix+hex.EncodeToString(got[:]) != want {
				t.Errorf("parsed as %x, problem %q; want %s", got, problem, want)
			}
		})
	}
}

func TestAnEntryThatWasNotDigestedIsNoDigest(t *testing.T) {
	const key = "a-key-of-more-than-twenty-bytes"
	for _, value := range []string{"", key, invalidPrefix + key} {
		_, problem := ParseDigest([]byte(value))
		if problem != keyNoDigest {
			t.Errorf("%q: got %q", value, problem)
		}
	}
}

func FuzzDigest(f *testing.F) {
	f.Add([]byte("a-key-of-more-than-twenty-bytes"))
	f.Add([]byte("sha256:" + strings.Repeat("aB", 32)))
	f.Add([]byte("invalid:it ends"))
	f.Add([]byte("short\n"))
	f.Fuzz(func(t *testing.T, value []byte) {
		once := Digest(named, map[string][]byte{"id": value})["id"]
		if twice := Digest(named, map[string][]byte{"id": once})["id"]; !bytes.Equal(once, twice) {
			t.Fatalf("doing it twice gives %s, want %s", twice, once)
		}
		if _, problem := ParseDigest(once); problem == keyNoDigest {
			t.Fatalf("%s can be read by nobody", once)
		}
		if _, already := parseDigest(value); !already && len(value) >= minKey && bytes.HasPrefix(once, []byte(digestPrefix)) {
			if sum := sha256.Sum256(value); string(once) != string(formatDigest(sum)) {
				t.Fatalf("%s is not the digest of %q", once, value)
			}
		}
	})
}
