package servingcert

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

const day = 24 * time.Hour

// answered fails where an API server, whose clock is right, refuses what any of the
// keepers shows.
func answered(t *testing.T, a *api, now time.Time, keepers ...*Keeper) {
	t.Helper()
	for _, k := range keepers {
		if err := ask(t, serve(t, k), a.bundle(), func() time.Time { return now }); err != nil {
			t.Error(err)
		}
	}
}

func TestAClockThatIsAheadForOneLookHarmsNobody(t *testing.T) {
	for _, ahead := range []time.Duration{2 * time.Hour, 70 * day, 100 * day, 3 * 365 * day, 40 * 365 * day} {
		a, right, jumps := newAPI(), &clock{noon}, &clock{noon}
		one, two := keeper(a, right), keeper(a, jumps)
		look(t, one, two)
		jumps.now = noon.Add(ahead)
		look(t, two)
		jumps.now = noon
		look(t, one, two)
		answered(t, a, noon, one, two)
		converged(t, a, one, two)
	}
}

func TestAClockThatIsAheadUntilTheNextCertificateIsServedHarmsNobody(t *testing.T) {
	for _, ahead := range []time.Duration{70 * day, 3 * 365 * day} {
		a, c := newAPI(), &clock{noon}
		k := keeper(a, c)
		look(t, k)
		c.now = noon.Add(ahead)
		for range 3 {
			look(t, k)
			c.now = c.now.Add(DefaultSettle)
		}
		if ahead < backdated {
			answered(t, a, noon, k)
		}
		c.now = noon.Add(time.Hour) // right again
		look(t, k)
		answered(t, a, c.now, k)
		converged(t, a, k)
	}
}

// A Secret that an earlier version left behind.
func TestACertificateThatIsNotValidYetIsMadeAnew(t *testing.T) {
	a, c := newAPI(), &clock{noon}
	k := keeper(a, c)
	look(t, k)
	early, err := issue([]string{"agentauth.agentauth-system.svc"}, noon.Add(100*day+backdated), noon.Add(190*day))
	if err != nil {
		t.Fatal(err)
	}
	m := material{current: early, next: early}
	m.trust(early.authority)
	a.secret.Data, a.secret.ResourceVersion = m.data(), a.next()
	look(t, k)
	answered(t, a, noon, k)
	converged(t, a, k)
}

func TestTwoReplicasWhoseClocksAreApartForEverServeOneCertificate(t *testing.T) {
	for _, apart := range []time.Duration{3 * time.Hour, 70 * day, 100 * day, -100 * day, 3 * 365 * day, -3 * 365 * day, 40 * 365 * day, -57 * 365 * day} {
		for _, wrongFirst := range []bool{false, true} {
			a, right, wrong := newAPI(), &clock{noon}, &clock{noon.Add(apart)}
			one, two := keeper(a, right), keeper(a, wrong)
			order := []*Keeper{one, two}
			if wrongFirst {
				order = []*Keeper{two, one}
			}
			most, quiet := 0, a.writes
			for range 30 { // almost a year
				look(t, order...)
				look(t, order...)
				answeredBy(t, a, right.now, one, two)
				most, quiet = max(most, a.writes-quiet), a.writes
				right.now, wrong.now = right.now.Add(10*day), wrong.now.Add(10*day)
				if t.Failed() {
					t.Fatalf("apart %s, the wrong one first: %v, after %s", apart, wrongFirst, right.now.Sub(noon))
				}
			}
			if most > 12 {
				t.Errorf("apart %s: expected them to agree, got %d writes at one time", apart, most)
			}
			converged(t, a, one, two)
			if t.Failed() {
				t.Fatalf("apart %s, the wrong one first: %v", apart, wrongFirst)
			}
		}
	}
}

// answeredBy is answered without connections.
func answeredBy(t *testing.T, a *api, now time.Time, keepers ...*Keeper) {
	t.Helper()
	names := namesOf(&a.configuration)
	for _, k := range keepers {
		if p := k.current.Load(); !p.serves(names, now) || !bytes.Contains(a.bundle(), encode(p.authority.Raw)) {
			t.Errorf("expected a certificate for now, %s, that is trusted, got one from %s to %s", now, p.Leaf.NotBefore, p.Leaf.NotAfter)
		}
	}
}

// converged fails where looks at one time go on to write.
func converged(t *testing.T, a *api, keepers ...*Keeper) {
	t.Helper()
	look(t, keepers...)
	look(t, keepers...)
	writes := a.writes
	for range 4 {
		look(t, keepers...)
	}
	if a.writes != writes {
		t.Errorf("expected nothing more to be written, got %d writes", a.writes-writes)
	}
	for _, k := range keepers {
		if serial(t, k) != serial(t, keepers[0]) {
			t.Error("expected one certificate")
		}
	}
}

func TestTheClockIsThatOfTheAPIServersAnswers(t *testing.T) {
	date := "Sun, 31 Jan 2027 12:00:00 GMT"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Date", date) }))
	defer server.Close()
	c := &ServerClock{}
	if off := time.Until(c.Now()).Abs(); off > time.Minute {
		t.Errorf("expected the machine's clock before the first answer, it is %s off", off)
	}
	get := func() {
		t.Helper()
		response, err := (&http.Client{Transport: c.Wrap(http.DefaultTransport)}).Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	for range 2 {
		get()
		if off := c.Now().Sub(noon); off < 0 || off > time.Minute {
			t.Errorf("expected the server's clock, it is %s off", off)
		}
		date = "yesterday" // is not taken
	}
	away := errors.New("away")
	_, err := c.Wrap(roundTripper(func(*http.Request) (*http.Response, error) { return nil, away })).RoundTrip(nil)
	if off := c.Now().Sub(noon); !errors.Is(err, away) || off > time.Minute {
		t.Errorf("expected the error and the clock to go on, got %v, %s", err, off)
	}
}
