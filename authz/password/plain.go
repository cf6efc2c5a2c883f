package password

import (
	"crypto/hmac"
	"fmt"
)

// Plain makes a table of one user whose password is given in plain, as in a
// Secret of type kubernetes.io/basic-auth. Only a digest under a key of this
// process stays in memory. A pair that CheckPlain complains about makes an
// empty table.
func Plain(user string, pass []byte) *Users {
	if CheckPlain(user, pass) != nil {
		return newUsers(nil)
	}
	h := plain{keyed("plain", pass)}
	name := nameDigest(user)
	return newUsers([]*entry{{id: keyed("entry", name[:], h.digest[:]), name: name, hash: h}})
}

// CheckPlain tells what is wrong with a pair for Plain: a name that is empty,
// over MaxName bytes, not UTF-8, with a colon, with control characters or with
// white space around it; a password that is empty, over MaxPassword bytes or
// with control characters, such as a trailing newline. Neither is repeated in
// the error.
func CheckPlain(user string, pass []byte) error {
	if err := checkName(user); err != nil {
		return fmt.Errorf("password: username: %w", err)
	}
	if err := checkForm(pass, MaxPassword); err != nil {
		return fmt.Errorf("password: %w", err)
	}
	return nil
}

type plain struct{ digest digest }

func (h plain) match(pass []byte) bool {
	d := keyed("plain", pass)
	return hmac.Equal(d[:], h.digest[:])
}

func (plain) longest() int { return MaxPassword }
