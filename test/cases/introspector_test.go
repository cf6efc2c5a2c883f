package cases

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/introspect"
)

// server is an authorization server as if it were asked. The host of its endpoint
// says which tokens it knows: idp.example.com those that begin with "idp-",
// other.example.com those that begin with "other-". down.example.com answers nobody.
type server struct {
	host  string
	ready chan struct{}
}

func (server) Start()                    {}
func (server) Close()                    {}
func (s server) Ready() <-chan struct{}  { return s.ready }
func (server) Status() introspect.Status { return introspect.Status{} }

// answers are the members of the answers, by what follows the name of the server in
// a token. A JWT is answered as "jwt".
var answers = map[string]string{
	"good":        `"sub":"alice","aud":"orders","scope":"read write","iss":"https://SERVER.example.com","exp":1800000060,"jti":"id-1","token_type":"Bearer","groups":["staff"],"act":{"sub":"bot"}`,
	"bare":        ``,
	"odd-act":     `"aud":"orders","act":"bot"`,
	"many-acts":   `"aud":"orders","act":{"act":{"act":{"act":{"act":{"act":{"act":{"act":{"act":{}}}}}}}}}`,
	"narrow":      `"aud":"orders","scope":"read"`,
	"elsewhere":   `"aud":"billing"`,
	"nobodys":     `"sub":"alice"`,
	"other-iss":   `"aud":"orders","iss":"https://else.example.com"`,
	"ended":       `"aud":"orders","exp":1799999970`,
	"just-ended":  `"aud":"orders","exp":1799999971`,
	"early":       `"aud":"orders","nbf":1800000031`,
	"just-early":  `"aud":"orders","nbf":1800000030`,
	"bound":       `"aud":"orders","cnf":{"jkt":"x"}`,
	"dpop":        `"aud":"orders","token_type":"DPoP"`,
	"keyed":       `"sub":"alice","aud":"orders","token_type":"DPoP","cnf":{"jkt":"jkt ec1"}`,
	"certified":   `"sub":"alice","aud":"orders","token_type":"Bearer","cnf":{"x5t#S256":"x5t ec1"}`,
	"mac":         `"aud":"orders","token_type":"mac"`,
	"lower":       `"aud":["billing","orders"],"token_type":"bearer"`,
	"refresh":     `"aud":"orders","token_use":"refresh_token"`,
	"refresh-typ": `"aud":"orders","typ":"Refresh"`,
	"null":        `"aud":"orders","exp":null,"iss":null,"sub":null`,
	"numbers":     `"aud":"orders","sub":9007199254740993,"client_id":"robot","amount":9007199254740993`,
	"jwt":         `"sub":"of-a-jwt","aud":"orders"`,
	"dots.in.it":  `"aud":"orders"`,
}

func (s server) Introspect(_ context.Context, q authn.Question) (*authn.Answer, error) {
	name, _, _ := strings.Cut(s.host, ".")
	if name == "down" {
		return nil, &authn.Unavailable{Reason: authz.Unavailable, RetryAfter: 7 * time.Second, Detail: "no answer"}
	}
	kind, known := strings.CutPrefix(q.Token, name+"-")
	if authz.IsJWT(q.Token) && name == "idp" {
		kind, known = "jwt", true
	}
	members, ok := answers[kind]
	for _, verb := range []string{"jkt", "x5t"} { // a key is not known before the run
		thumbprint, err := Expand("${" + verb + " ec1}")
		if err != nil {
			panic(err)
		}
		members = strings.ReplaceAll(members, verb+" ec1", thumbprint)
	}
	if !known || !ok {
		return authn.ParseAnswer([]byte(`{"active":false}`))
	}
	if members != "" {
		members = "," + strings.ReplaceAll(members, "SERVER", name)
	}
	a, err := authn.ParseAnswer(fmt.Appendf(nil, `{"active":true%s}`, members))
	if err != nil {
		panic(err)
	}
	a.Asked = time.Now()
	return a, nil
}

func introspector(src engine.IntrospectionSource) engine.Introspector {
	host, _, _ := strings.Cut(strings.TrimPrefix(src.Endpoint, "https://"), "/")
	s := server{host: host, ready: make(chan struct{})}
	close(s.ready)
	return s
}
