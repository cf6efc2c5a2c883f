package cases

import (
	"fmt"

	"github.com/agentauth-dev/agentauth/authz"
)

// checkHolder looks at whose credential was refused.
func checkHolder(d *authz.Decision, verb, field, want string) error {
	var got map[string]string
	switch id, c := d.Refused, d.Claimed; {
	case verb == "refused" && id != nil:
		got = map[string]string{"subject": id.Subject, "issuer": id.Issuer, "credentialId": id.CredentialID}
		if id.Actor != nil {
			got["actor"] = id.Actor.Subject
		}
	case verb == "claimed" && c != nil:
		got = map[string]string{"method": c.Method, "subject": c.Subject, "issuer": c.Issuer, "credentialId": c.CredentialID}
	case verb == "tells" && field == "nobody" && d.Identity == nil && id == nil && c == nil:
		return nil
	default:
		return fmt.Errorf("identity %+v, refused %+v, claimed %+v", d.Identity, id, c)
	}
	if value, ok := got[field]; !ok && want != "" || value != want {
		return fmt.Errorf("got %q", got)
	}
	return nil
}
