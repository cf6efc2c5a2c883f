package introspect

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/egress"
)

const (
	token  = "2YotnFZFEjr1zCsicMWpAA"
	secret = "gX1fBat3bV:&+%"
)

// through posts with the client that serve posts with.
func through(t *testing.T, endpoint string) func(context.Context, string, Request) (Response, error) {
	client := egress.New(egress.Config{AllowHTTP: true, AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(client.Close)
	return func(ctx context.Context, tenant string, r Request) (Response, error) {
		res, err := client.Do(ctx, egress.Request{URL: endpoint, Method: http.MethodPost, Body: []byte(r.Form), MaxBytes: MaxAnswer,
			Header: http.Header{"Authorization": {r.Authorization}, "Content-Type": {"application/x-www-form-urlencoded"}}, Turn: egress.Turn{Tenant: tenant, Asked: true}})
		if err != nil {
			return Response{}, err
		}
		return Response{res.Status, res.Header.Get("Content-Type"), res.Body}, nil
	}
}

func serverOf(t *testing.T, handler http.HandlerFunc) *Server {
	t.Helper()
	provider := httptest.NewServer(handler)
	t.Cleanup(provider.Close)
	return New(Config{Endpoint: provider.URL, Client: Client{ID: "rs", Secret: secret}, Post: through(t, provider.URL)})
}

func about(token string) authn.Question {
	return authn.Question{Token: token, Digest: sha256.Sum256([]byte(token)), Fresh: 5 * time.Second}
}

func answering(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func counted(s *Server) map[Outcome]uint64 {
	out := map[Outcome]uint64{}
	for _, c := range s.config.Shared.Counts() {
		if c.Requests > 0 {
			out[c.Outcome] = c.Requests
		}
	}
	return out
}

func TestASoundAnswerIsReadAsItIs(t *testing.T) {
	s := serverOf(t, answering(200, "application/json; charset=utf-8", `{"active":true,"sub":"agent","scope":"a b","exp":1800000000,"n":9007199254740993,"nothing":null}`))
	got, err := s.Introspect(t.Context(), about(token))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"sub": "agent", "scope": "a b", "exp": int64(1800000000), "n": int64(9007199254740993)}
	if !got.Active || fmt.Sprint(got.Claims) != fmt.Sprint(want) || got.Asked.IsZero() {
		t.Errorf("expected an active token with %v, got %+v", want, got)
	}
}

func TestATokenThatIsNotActiveIsNoFailureWhateverElseIsSaid(t *testing.T) {
	for _, body := range []string{`{"active":false}`, ` {"exp":"never","active":false,"iss":5} `} {
		s := serverOf(t, answering(200, "application/json", body))
		if got, err := s.Introspect(t.Context(), about(token)); err != nil || got.Active || got.Claims != nil {
			t.Errorf("%s: expected a token that is not active, got %+v, %v", body, got, err)
		}
	}
}

func TestWhatIsNoSoundAnswerIsUnavailableAndNeverSaysWhatCame(t *testing.T) {
	const sent = "sent-by-the-server"
	jsonOf := func(status int, body string) http.HandlerFunc { return answering(status, "application/json", body) }
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		outcome Outcome
		detail  string
	}{
		"500":                            {jsonOf(500, `{"active":true,"x":"`+sent+`"}`), Failed, "answered 500"},
		"502 of a proxy":                 {answering(502, "text/html", "<html>"+sent), Failed, "answered 502"},
		"503":                            {jsonOf(503, `{}`), Failed, "answered 503"},
		"429":                            {jsonOf(429, `{}`), Failed, "answered 429"},
		"404":                            {jsonOf(404, `{"error":"`+sent+`"}`), Failed, "answered 404"},
		"201":                            {jsonOf(201, `{"active":true}`), Failed, "answered 201"},
		"204":                            {jsonOf(204, ``), Failed, "answered 204"},
		"401 of our client":              {jsonOf(401, `{"error":"invalid_client","error_description":"`+sent+`"}`), Refused, "answered 401 (invalid_client)"},
		"401 without a body":             {answering(401, "", ""), Refused, "answered 401:"},
		"403 of our client":              {jsonOf(403, `{"error":"insufficient_scope"}`), Refused, "answered 403 (insufficient_scope)"},
		"400 invalid_client":             {jsonOf(400, `{"error":"invalid_client"}`), Refused, "answered 400 (invalid_client)"},
		"400 invalid_request":            {jsonOf(400, `{"error":"invalid_request"}`), Refused, "answered 400 (invalid_request)"},
		"400 unauthorized_client":        {jsonOf(400, `{"error":"unauthorized_client"}`), Refused, "answered 400 (unauthorized_client)"},
		"400 unsupported_token_type":     {jsonOf(400, `{"error":"unsupported_token_type"}`), Refused, "answered 400 (unsupported_token_type)"},
		"400 invalid_token":              {jsonOf(400, `{"error":"invalid_token"}`), Refused, "answered 400 (invalid_token)"},
		"400 with an error of its own":   {jsonOf(400, `{"error":"`+sent+`"}`), Refused, "answered 400:"},
		"400 with an error twice":        {jsonOf(400, `{"error":"invalid_client","error":"`+sent+`"}`), Refused, "answered 400:"},
		"400 that says it is active":     {jsonOf(400, `{"active":true}`), Refused, "answered 400:"},
		"401 that says it is not active": {jsonOf(401, `{"active":false}`), Refused, "answered 401:"},
		"HTML":                           {answering(200, "text/html", `{"active":true}`), Malformed, "content type"},
		"no content type":                {answering(200, "", `{"active":true}`), Malformed, "content type"},
		"a signed answer":                {answering(200, "application/token-introspection+jwt", `e30.e30.e30`), Malformed, "content type"},
		"no JSON":                        {jsonOf(200, sent), Malformed, "is no JSON object"},
		"a list":                         {jsonOf(200, `[{"active":true}]`), Malformed, "is no JSON object"},
		"nothing":                        {jsonOf(200, ""), Malformed, "is empty"},
		"half an answer":                 {jsonOf(200, `{"active":true,"`+sent), Malformed, "is wrong JSON"},
		"two answers":                    {jsonOf(200, `{"active":true}{"active":false}`), Malformed, "behind its JSON object"},
		"a name twice":                   {jsonOf(200, `{"active":false,"active":true}`), Malformed, "a name twice"},
		"a name twice, deep":             {jsonOf(200, `{"active":true,"act":{"sub":"a","sub":"b"}}`), Malformed, "a name twice"},
		"a byte order mark":              {jsonOf(200, "\ufeff"+`{"active":true}`), Malformed, "byte order mark"},
		"invalid UTF-8":                  {jsonOf(200, "{\"active\":true,\"sub\":\"\xff\"}"), Malformed, "is wrong JSON"},
		"no active":                      {jsonOf(200, `{"sub":"agent"}`), Malformed, "no active that is a bool"},
		"active in another letter case":  {jsonOf(200, `{"Active":true}`), Malformed, "no active that is a bool"},
		"active as a text":               {jsonOf(200, `{"active":"true"}`), Malformed, "no active that is a bool"},
		"active as a number":             {jsonOf(200, `{"active":1}`), Malformed, "no active that is a bool"},
		"active is null":                 {jsonOf(200, `{"active":null}`), Malformed, "no active that is a bool"},
		"an exp that is a text":          {jsonOf(200, `{"active":true,"exp":"1800000000"}`), Malformed, "unusable exp"},
		"an exp in milliseconds":         {jsonOf(200, `{"active":true,"exp":1800000000000}`), Malformed, "unusable exp"},
		"an nbf that is a bool":          {jsonOf(200, `{"active":true,"nbf":true}`), Malformed, "unusable nbf"},
		"an iss that is a list":          {jsonOf(200, `{"active":true,"iss":["a"]}`), Malformed, "unusable iss"},
		"an aud that is an object":       {jsonOf(200, `{"active":true,"aud":{}}`), Malformed, "unusable aud"},
		"an aud with a number":           {jsonOf(200, `{"active":true,"aud":["a",1]}`), Malformed, "unusable aud"},
		"a token_type that is an object": {jsonOf(200, `{"active":true,"token_type":{}}`), Malformed, "unusable token_type"},
		"a number beyond all":            {jsonOf(200, `{"active":true,"n":1e999}`), Malformed, "a number beyond"},
		"deep nesting":                   {jsonOf(200, `{"active":true,"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`}`), Malformed, "nests"},
		"an answer that is too large":    {jsonOf(200, `{"active":true,"x":"`+strings.Repeat("x", MaxAnswer)+`"}`), Failed, "larger than 65536 bytes"},
		"a redirect":                     {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/"+sent, http.StatusFound) }, Failed, "redirect"},
		"a redirect that keeps the POST": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/"+sent, http.StatusPermanentRedirect)
		}, Failed, "redirect"},
		"an answer that ends early":   {func(w http.ResponseWriter, _ *http.Request) { endEarly(t, w, `{"active":true,"`+sent) }, Failed, "ended early"},
		"a connection that is closed": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Failed, "ended early"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serverOf(t, c.handler)
			answer, err := s.Introspect(t.Context(), about(token))
			var down *authn.Unavailable
			if answer != nil || !errors.As(err, &down) || down.Reason != authz.Unavailable || down.RetryAfter != retryAfter {
				t.Fatalf("expected an *Unavailable with a time to ask again, got %+v, %v", answer, err)
			}
			if got := counted(s); len(got) != 1 || got[c.outcome] != 1 {
				t.Errorf("expected 1 %s, got %v", c.outcome, got)
			}
			if !strings.Contains(down.Detail, c.detail) || s.Status().Failures != 1 || !strings.Contains(down.Detail, s.Status().Error) {
				t.Errorf("expected a detail with %q, and that status, got %q and %+v", c.detail, down.Detail, s.Status())
			}
			for _, never := range []string{sent, token, secret, "gX1fBat3bV"} {
				if strings.Contains(down.Detail, never) {
					t.Errorf("%q holds %q", down.Detail, never)
				}
			}
		})
	}
}

// endEarly promises more than it sends.
func endEarly(t *testing.T, w http.ResponseWriter, body string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n%s", body)
}

func TestAServerThatIsNotThereIsUnavailable(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	s := New(Config{Endpoint: gone.URL, Post: through(t, gone.URL)})
	_, err := s.Introspect(t.Context(), about(token))
	var down *authn.Unavailable
	if !errors.As(err, &down) || counted(s)[Failed] != 1 || !strings.Contains(down.Detail, "cannot connect") {
		t.Errorf("expected a server that cannot be connected to, got %v", err)
	}
}

func TestAgentauthAuthenticatesAsTheFieldSays(t *testing.T) {
	odd := Client{ID: "rs +1:ü", Secret: "a b:c%&=+ü"}
	for name, inBody := range map[string]bool{"Basic": false, "Post": true} {
		t.Run(name, func(t *testing.T) {
			client := odd
			client.InBody = inBody
			provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := r.ParseForm(); err != nil {
					t.Error(err)
				}
				want := map[string]string{"token": "a+b/c==", "token_type_hint": "access_token"}
				header := "Basic cnMrJTJCMSUzQSVDMyVCQzphK2IlM0FjJTI1JTI2JTNEJTJCJUMzJUJD" // rs+%2B1%3A%C3%BC:a+b%3Ac%25%26%3D%2B%C3%BC
				if inBody {
					want["client_id"], want["client_secret"], header = odd.ID, odd.Secret, ""
				}
				if len(r.PostForm) != len(want) || r.Header.Get("Authorization") != header {
					t.Errorf("expected the header %q and %v, got %q and %v", header, want, r.Header.Get("Authorization"), r.PostForm)
				}
				for k, v := range want {
					if r.PostForm.Get(k) != v {
						t.Errorf("expected %s %q, got %q", k, v, r.PostForm.Get(k))
					}
				}
				answering(200, "application/json", `{"active":false}`)(w, r)
			}))
			defer provider.Close()
			s := New(Config{Endpoint: provider.URL, Client: client, Post: through(t, provider.URL)})
			if _, err := s.Introspect(t.Context(), about("a+b/c==")); err != nil {
				t.Error(err)
			}
		})
	}
}
