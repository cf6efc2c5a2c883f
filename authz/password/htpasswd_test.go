package password

import (
	"fmt"
	"strings"
	"testing"
)

func parse(t testing.TB, file string) *Users {
	t.Helper()
	users, problems, err := ParseHtpasswd([]byte(file))
	if err != nil || len(problems) != 0 {
		t.Fatalf("expected a good file, got %v %v", problems, err)
	}
	return users
}

func TestCommentsAndBlankLinesAreNoEntries(t *testing.T) {
	users := parse(t, "# staff\n\n  \t\n\r\nalice:"+horse+"\n#bob:"+horse+"\ncarol:"+argon)
	if users.Len() != 2 {
		t.Fatalf("expected 2 users, got %d", users.Len())
	}
}

func TestAnEmptyFileIsAnEmptyTable(t *testing.T) {
	if users := parse(t, ""); users.Len() != 0 {
		t.Fatalf("expected 0 users, got %d", users.Len())
	}
}

// Whatever is refused leaves the good entry beside it alone, names its line,
// and gives away neither hash nor password.
func TestABadEntryIsRefusedByItself(t *testing.T) {
	b64 := func(n int) string { return strings.Repeat("A", n) }
	argonWith := func(params, salt, tag string) string { return "$argon2id$v=19$" + params + "$" + salt + "$" + tag }
	for name, c := range map[string]struct{ hash, want string }{
		"doubled dollar signs":                {"$$2y$$05$$Secret", "dollar signs are doubled"},
		"Apache's MD5":                        {"$apr1$Secret$Secret", "MD5 ($apr1$)"},
		"crypt's MD5":                         {"$1$Secret$Secret", "MD5 ($1$)"},
		"SHA-1":                               {"{SHA}Secret=", "SHA-1 ({SHA})"},
		"salted SHA-1":                        {"{SSHA}Secret=", "SHA-1 ({SSHA})"},
		"marked plain text":                   {"{PLAIN}Secret", "plain text"},
		"sha256-crypt":                        {"$5$Secret$Secret", "sha256-crypt"},
		"crypt(3)":                            {"SecretabcdefG", "crypt(3) or plain text"},
		"plain text":                          {"Secret", "crypt(3) or plain text"},
		"a hash nobody knows":                 {"$y$j9T$Secret", "another hash"},
		"a scheme nobody knows":               {"{CRYPT}Secret", "another hash"},
		"no hash":                             {"", "got none"},
		"CRLF":                                {horse + "\r", `got \r\n`},
		"white space after the hash":          {horse + " ", "white space"},
		"white space before the hash":         {" " + horse, "white space"},
		"a field after the hash":              {horse + ":Secret", "another colon"},
		"bcrypt 2":                            {strings.Replace(horse, "$2b$", "$2$", 1), "($2$, $2x$)"},
		"bcrypt 2x":                           {strings.Replace(horse, "$2b$", "$2x$", 1), "($2$, $2x$)"},
		"bcrypt below its costs":              {strings.Replace(horse, "$04$", "$03$", 1), "from 4 to 14, got 3"},
		"bcrypt above its costs":              {strings.Replace(horse, "$04$", "$15$", 1), "from 4 to 14, got 15"},
		"a bcrypt that was cut":               {horse[:59], "got 59 characters"},
		"bcrypt with a NUL":                   {horse[:59] + "\x00", "another form"},
		"sha512-crypt below its rounds":       {strings.Replace(sha512, "=1000", "=999", 1), "from 1000 to 1000000, got 999"},
		"sha512-crypt above its rounds":       {strings.Replace(sha512, "=1000", "=1000001", 1), "from 1000 to 1000000, got 1000001"},
		"sha512-crypt with endless rounds":    {strings.Replace(sha512, "=1000", "="+strings.Repeat("9", 40), 1), "another form"},
		"sha512-crypt with rounds twice":      {strings.Replace(sha512, "=1000", "=1000,rounds=2000", 1), "another form"},
		"sha512-crypt with a salt of 17":      {strings.Replace(sha512, "saltstring", "0123456789abcdefg", 1), "another form"},
		"sha512-crypt without salt":           {strings.Replace(sha512, "saltstring", "", 1), "another form"},
		"sha512-crypt that was cut":           {sha512[:len(sha512)-1], "another form"},
		"argon2i":                             {strings.Replace(argon, "2id", "2i", 1), "argon2i or argon2d"},
		"argon2d":                             {strings.Replace(argon, "2id", "2d", 1), "argon2i or argon2d"},
		"argon2id of version 16":              {strings.Replace(argon, "v=19", "v=16", 1), "another version"},
		"argon2id without version":            {strings.Replace(argon, "v=19$", "", 1), "another version"},
		"argon2id with parameters reordered":  {strings.Replace(argon, "m=256,t=2", "t=2,m=256", 1), "another version"},
		"argon2id with associated data":       {strings.Replace(argon, "p=1", "p=1,data=AAAA", 1), "another version"},
		"argon2id with t=0":                   {strings.Replace(argon, "t=2", "t=0", 1), "another version"},
		"argon2id with too much memory":       {argonWith("m=65537,t=1,p=1", b64(16), b64(43)), "to 65536 KiB, got 65537; make the hash anew with m=65536,t=3,p=4"},
		"argon2id with memory that overflows": {argonWith("m=4294967552,t=1,p=1", b64(16), b64(43)), "another version"},
		"argon2id with too little memory":     {argonWith("m=31,t=1,p=4", b64(16), b64(43)), "from 32"},
		"argon2id with too many passes":       {argonWith("m=256,t=11,p=1", b64(16), b64(43)), "from 1 to 10, got 11"},
		"argon2id with too many lanes":        {argonWith("m=256,t=1,p=17", b64(16), b64(43)), "from 1 to 16, got 17"},
		"argon2id with lanes that overflow":   {argonWith("m=256,t=1,p=257", b64(16), b64(43)), "from 1 to 16, got 257"},
		"argon2id with a short salt":          {argonWith("m=256,t=1,p=1", b64(10), b64(43)), "salt of 8 to 64"},
		"argon2id with a long salt":           {argonWith("m=256,t=1,p=1", b64(87), b64(43)), "salt of 8 to 64"},
		"argon2id with a short tag":           {argonWith("m=256,t=1,p=1", b64(16), b64(20)), "tag of 16 to 64"},
		"argon2id with a long tag":            {argonWith("m=256,t=1,p=1", b64(16), b64(87)), "tag of 16 to 64"},
		"argon2id with trailing bits":         {argonWith("m=256,t=1,p=1", b64(16), b64(42)+"B"), "tag of 16 to 64"},
		"argon2id with padding":               {argon + "=", "another version"},
	} {
		t.Run(name, func(t *testing.T) {
			file := "good:" + horse + "\nbad:" + c.hash + "\n"
			users, problems, err := ParseHtpasswd([]byte(file))
			if err != nil || users.Len() != 1 || len(problems) != 1 {
				t.Fatalf("expected 1 user and 1 problem, got %d, %v, %v", users.Len(), problems, err)
			}
			p := problems[0]
			if p.Line != 2 || !strings.Contains(p.Message, c.want) {
				t.Errorf("expected line 2 and %q, got %+v", c.want, p)
			}
			for _, secret := range []string{"Secret", "ydOTSf", "saltstring", "nf65EO", "AAAAA"} {
				if strings.Contains(fmt.Sprintf("%+v", p), secret) {
					t.Errorf("expected nothing of the hash, got %+v", p)
				}
			}
		})
	}
}

func TestTheBoundsThemselvesAreAccepted(t *testing.T) {
	for name, encoded := range map[string]string{
		"bcrypt 14":                   strings.Replace(horse, "$04$", "$14$", 1),
		"a million rounds":            strings.Replace(sha512, "=1000", "=1000000", 1),
		"64 MiB, 10 passes, 16 lanes": strings.Replace(argon, "m=256,t=2,p=1", "m=65536,t=10,p=16", 1),
		"10 passes":                   strings.Replace(argon, "t=2", "t=10", 1),
		"8 KiB for each lane":         strings.Replace(argon, "m=256,t=2,p=1", "m=128,t=2,p=16", 1),
	} {
		if _, err := parseHash(encoded); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestABadNameIsRefusedAndNotRepeated(t *testing.T) {
	for name, c := range map[string]struct{ line, want string }{
		"no colon, perhaps a password":  {"Secret", "without a colon"},
		"an empty name":                 {":" + horse, "got none"},
		"a tab in the name":             {"Se\tcret:" + horse, "control characters"},
		"a NUL in the name":             {"Se\x00cret:" + horse, "control characters"},
		"a C1 control in the name":      {"Se\u0085cret:" + horse, "control characters"},
		"white space before the name":   {" Secret:" + horse, "white space"},
		"a name that is not UTF-8":      {"Secret\xff:" + horse, "UTF-8"},
		"a name of 256 bytes":           {strings.Repeat("Secret01", 32) + ":" + horse, "at most 255 bytes, got 256"},
		"a byte order mark":             {"\ufeffSecret:" + horse, "byte order mark"},
		"a carriage return in the name": {"Se\rcret:" + horse, "control characters"},
	} {
		t.Run(name, func(t *testing.T) {
			users, problems, err := ParseHtpasswd([]byte(c.line + "\ngood:" + horse))
			if err != nil || users.Len() != 1 || len(problems) != 1 {
				t.Fatalf("expected 1 user and 1 problem, got %d, %v, %v", users.Len(), problems, err)
			}
			p := problems[0]
			if p.Line != 1 || !strings.Contains(p.Message, c.want) || strings.Contains(fmt.Sprintf("%+v", p), "Secret") {
				t.Errorf("expected line 1, no name and %q, got %+v", c.want, p)
			}
		})
	}
}

func TestANameThatOccursTwiceIsRefusedEverywhere(t *testing.T) {
	// The other one counts even if its hash is refused anyway: which of the two
	// the author meant is not ours to say.
	for name, other := range map[string]string{"two good hashes": argon, "one bad hash": "{SHA}x"} {
		t.Run(name, func(t *testing.T) {
			users, problems, err := ParseHtpasswd([]byte("alice:" + horse + "\nbob:" + horse + "\nalice:" + other))
			if err != nil || users.Len() != 1 || len(problems) != 2 {
				t.Fatalf("expected 1 user and 2 problems, got %d, %v, %v", users.Len(), problems, err)
			}
			for i, line := range []int{1, 3} {
				if p := problems[i]; p.Line != line || !strings.Contains(p.Message, "2 times") {
					t.Errorf("expected line %d, 2 times, got %+v", line, p)
				}
			}
			if _, known := users.find("alice"); known {
				t.Error("expected alice to be unknown")
			}
		})
	}
}

func TestALineWithoutAColonIsNoSecondEntryOfThatName(t *testing.T) {
	users, problems, err := ParseHtpasswd([]byte("alice:" + horse + "\nalice\n"))
	if err != nil || users.Len() != 1 || len(problems) != 1 || problems[0].Line != 2 {
		t.Fatalf("expected 1 user and a problem in line 2, got %d, %v, %v", users.Len(), problems, err)
	}
}

func TestNamesThatDifferInCaseAreTwo(t *testing.T) {
	if users := parse(t, "alice:"+horse+"\nAlice:"+argon); users.Len() != 2 {
		t.Fatalf("expected 2 users, got %d", users.Len())
	}
}

func TestAFileBeyondItsBoundsIsNoTable(t *testing.T) {
	entries := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "u%d:%s\n", i, horse)
		}
		return b.String()
	}
	exact := entries(MaxUsers)
	for name, c := range map[string]struct {
		file, want string
	}{
		"one entry too many":         {exact + "#\nu:x", "at most 10000 entries"},
		"one bad entry too many":     {strings.Repeat("x\n", MaxUsers+1), "at most 10000 entries"},
		"one byte too many":          {strings.Repeat("#", MaxFile+1), "at most 1048576 bytes, got 1048577"},
		"as many entries as allowed": {exact, ""},
		"as many bytes as allowed":   {strings.Repeat("#", MaxFile), ""},
	} {
		t.Run(name, func(t *testing.T) {
			users, _, err := ParseHtpasswd([]byte(c.file))
			if c.want == "" {
				if err != nil || users == nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || users != nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("expected no table and %q, got %v", c.want, err)
			}
		})
	}
}

// FuzzParseHtpasswd: no file panics, no entry is both accepted and refused, no
// problem repeats a hash, and no table lets in a password it was not made of.
func FuzzParseHtpasswd(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte("alice:" + v.encoded + "\n"))
	}
	f.Add([]byte("# staff\n\nalice:" + horse + "\r\nbob:$apr1$x$y\n:x\nno colon\nalice:" + argon))
	f.Add([]byte("\ufeffalice:" + sha512 + "\n\x00:{SHA}x\n"))
	v := newVerifier(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		users, problems, err := ParseHtpasswd(file)
		if err != nil {
			if users != nil {
				t.Fatal("a table beside an error")
			}
			return
		}
		refused := map[string]bool{}
		names := namesIn(file)
		for _, p := range problems {
			if names[p.Line] != "" { // a line without a colon is an entry of nobody
				refused[names[p.Line]] = true
			}
		}
		for _, name := range names {
			e, known := users.find(name)
			if !known {
				continue
			}
			if refused[name] {
				t.Fatalf("user %q is both refused and known", name)
			}
			if cheap(e.hash) && v.Verify(t.Context(), owner, users, name, []byte("7f0b1f3a-no-vector-has-this")) == nil {
				t.Fatalf("user %q got in with a password of ours", name)
			}
		}
	})
}

// namesIn are the names before a colon, by line from 1.
func namesIn(file []byte) map[int]string {
	names, line := map[int]string{}, 0
	for l := range strings.Lines(string(file)) {
		line++
		if name, _, colon := strings.Cut(l, ":"); colon {
			names[line] = name
		}
	}
	return names
}

// cheap keeps the fuzzer from spending its time in hashes.
func cheap(h hash) bool {
	switch h := h.(type) {
	case bcryptHash:
		return h[5] == '4' && h[4] == '0'
	case argonHash:
		return h.memory*h.time <= 1024
	}
	return false
}
