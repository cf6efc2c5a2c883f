package servingcert

import (
	"testing"
	"time"
)

func TestNoReviewIsRefusedWhileCertificatesAreRenewed(t *testing.T) {
	a, c := newAPI(), &clock{noon}
	often, seldom := keeper(a, c), keeper(a, c)
	look(t, often, seldom)
	at, alsoAt := serve(t, often), serve(t, seldom)

	const step = 4 * time.Minute // less than Settle
	for _, k := range []*Keeper{often, seldom} {
		k.Validity = 6 * time.Hour
	}
	c.now = noon.Add(DefaultValidity * 2 / 3)
	end := c.now.Add(3 * 6 * time.Hour)
	lagging := a.bundle() // what an API server knows that learns late
	seen, most := map[string]bool{}, 0
	for i := 0; c.now.Before(end); i++ {
		now := a.bundle()
		look(t, often)
		if i%5 == 0 {
			look(t, seldom)
		}
		for _, bundle := range [][]byte{lagging, a.bundle()} {
			if err := ask(t, at, bundle, c.time); err != nil {
				t.Fatalf("%s: %v", c.now, err)
			}
			if err := ask(t, alsoAt, bundle, c.time); err != nil {
				t.Fatalf("%s, the replica that looks seldom: %v", c.now, err)
			}
		}
		seen[serial(t, often)] = true
		most = max(most, authoritiesIn(a.bundle()))
		lagging, c.now = now, c.now.Add(step)
	}
	if len(seen) < 4 || most < 2 || most > 3 {
		t.Errorf("expected at least 4 certificates and 2 authorities at a time, got %d and %d", len(seen), most)
	}
	c.now = noon.Add(2 * DefaultValidity)
	look(t, often)
	if n := authoritiesIn(a.bundle()); n != 1 {
		t.Errorf("expected authorities to go with what they signed, got %d", n)
	}
}

func TestTheNextCertificateWaitsUntilTheConfigurationTrustedItForLongEnough(t *testing.T) {
	a, c := newAPI(), &clock{noon}
	k := keeper(a, c)
	look(t, k)
	first := serial(t, k)
	c.now = noon.Add(DefaultValidity*2/3 - time.Second)
	look(t, k)
	if authoritiesIn(a.bundle()) != 1 {
		t.Error("the next certificate is made early")
	}
	c.now = noon.Add(DefaultValidity * 2 / 3)
	look(t, k) // makes it, and tells the configuration
	if authoritiesIn(a.bundle()) != 2 || serial(t, k) != first {
		t.Error("expected the configuration to trust both, and the first to be served")
	}
	both := a.bundle()
	remove := func() {
		a.configuration.Webhooks[1].ClientConfig.CABundle, a.configuration.ResourceVersion = nil, a.next()
	}
	look(t, k)
	c.now = c.now.Add(DefaultSettle - time.Second)
	look(t, k)
	remove() // by somebody: the time begins anew
	c.now = c.now.Add(time.Second)
	look(t, k)
	look(t, k)
	if serial(t, k) != first || string(a.bundle()) != string(both) {
		t.Error("the next certificate is served though it was not trusted for long enough")
	}
	c.now = c.now.Add(DefaultSettle)
	look(t, k)
	if serial(t, k) == first || authoritiesIn(a.bundle()) != 2 {
		t.Error("expected the next certificate, and both authorities")
	}
}

func TestAReplicaThatReadAnOlderSecretTakesNoAuthorityAway(t *testing.T) {
	a, c, behind := newAPI(), &clock{noon}, &clock{noon}
	fast, slow := keeper(a, c), keeper(a, behind)
	look(t, fast, slow)
	c.now = noon.Add(DefaultValidity * 2 / 3)
	behind.now = c.now.Add(-time.Second)
	a.configuration.Webhooks[1].ClientConfig.CABundle, a.configuration.ResourceVersion = nil, a.next()
	a.between = func() { look(t, fast) } // makes the next one, of which slow does not know when it writes
	look(t, slow)
	if m, err := read(a.secret.Data); err != nil || m.next == nil || string(a.bundle()) != string(m.bundle()) || authoritiesIn(a.bundle()) != 2 {
		t.Errorf("expected the configuration to trust both of the Secret, got %v\n%s", err, a.bundle())
	}
}
