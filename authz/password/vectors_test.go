package password

import (
	"strings"
	"testing"
)

// Made elsewhere: sha512-crypt by `openssl passwd -6`, bcrypt by libxcrypt,
// argon2id from the reference implementation's own tests.
var vectors = []struct{ name, encoded, pass string }{
	{"sha512-crypt", `$6$abcdefgh$yVfUwsw5T.JApa8POvClA1pQ5peiq97DUNyXCZN5IrF.BMSkiaLQ5kvpuEm/VQ1Tvh/KV2TcaWh8qinoW5dhA1`, "password"},
	{"sha512-crypt with the longest salt and a long password", `$6$0123456789abcdef$hdKQR3U1ofzUBt70lpJrj9gRNuOHUPP5vMHbJtWeAVw9d3x7kUXPRZHmXi8rquaE8P8IDbMUrlAn6yB.w0e9w1`, strings.Repeat("x", 100)},
	{"sha512-crypt with rounds and UTF-8", `$6$rounds=1000$saltstring$1NF/vjDuSxKDQInikuIr63oSaOBGt6SEFSEYRDSKVhIxH9kWfjwTch8eq7XrvIu4D5FPvZn.7pVD8uoxz3eF8.`, "Zürich"},
	{"sha512-crypt of the longest password", `$6$rounds=1000$abcdefgh$/YmUQ5Jfa8hlGBuz6Uf4K3SlrvY7.U3GqQ3t0AQvG1yLpXdRKZtVpxVTQ.ihBrPN8DzO6c3EPD9QIswRXg1ej.`, strings.Repeat("x", 256)},
	{"bcrypt 2b", horse, "correct horse"},
	{"bcrypt 2a", strings.Replace(horse, "$2b$", "$2a$", 1), "correct horse"},
	{"bcrypt 2y", strings.Replace(horse, "$2b$", "$2y$", 1), "correct horse"},
	{"bcrypt of the longest password", seventyTwo, strings.Repeat("x", 72)},
	{"argon2id", argon, "password"},
	{"argon2id with two lanes", `$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc`, "password"},
}

const (
	horse      = `$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e`
	seventyTwo = `$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i`
	argon      = `$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4`
	sha512     = `$6$rounds=1000$saltstring$1NF/vjDuSxKDQInikuIr63oSaOBGt6SEFSEYRDSKVhIxH9kWfjwTch8eq7XrvIu4D5FPvZn.7pVD8uoxz3eF8.`
)

func TestHashesMadeElsewhereVerifyTheirPasswordAndNoOther(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			h, err := parseHash(v.encoded)
			if err != nil {
				t.Fatal(err)
			}
			if !h.match([]byte(v.pass)) {
				t.Error("expected its password to match")
			}
			if h.match([]byte("X" + v.pass[1:])) {
				t.Error("expected another password not to match")
			}
		})
	}
}

func TestHashMakesABcryptOfCost10ThatVerifies(t *testing.T) {
	encoded, err := Hash([]byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(encoded, "$2a$10$") {
		t.Errorf("expected $2a$10$…, got %q", encoded)
	}
	v, users := newVerifier(t), parse(t, "alice:"+encoded)
	if err := v.Verify(t.Context(), owner, users, "alice", []byte("correct horse")); err != nil {
		t.Error(err)
	}
}

func TestHashRefusesWhatWouldNeverVerify(t *testing.T) {
	for name, c := range map[string]struct{ pass, want string }{
		"an empty password":             {"", "1 to 72 bytes, got none"},
		"a password of 73 bytes":        {strings.Repeat("s", 73), "1 to 72 bytes, got 73"},
		"a password with NUL":           {"secret\x00secret", "control characters"},
		"a password with a newline end": {"secret\n", "trailing newline"},
	} {
		t.Run(name, func(t *testing.T) {
			encoded, err := Hash([]byte(c.pass))
			if err == nil || encoded != "" || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("expected an error with %q, got %v", c.want, err)
			}
			if c.pass != "" && strings.Contains(err.Error(), "secret") {
				t.Fatalf("expected no password in %q", err)
			}
		})
	}
}
