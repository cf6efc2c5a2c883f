//go:build e2e && !quick

package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// loseProvider lets the provider be away for a while: tokens of keys that are held are taken, those of others are 401. It comes
// back with a new key, whose tokens are taken as soon as keys are asked for again.
func (s *soaking) loseProvider() {
	s.t.Helper()
	s.provider.Kill()
	s.note("the provider is down")
	s.load.put("unknown", s.forged())
	s.pause(s.hold)
	s.load.put("unknown", nil)
	s.idp.JWKS.Keys = append([]jose.JSONWebKey{s.nextKey()}, s.provider.Keys()...)
	s.provider = startProvider(s.t, s.idp)
	s.back = time.Now()
	s.note("the provider is back, and signs with key k%d", s.key)
	late := s.newToken(http.StatusUnauthorized).comes()
	s.before = s.load.put("token", late)
	time.AfterFunc(keysAgain+time.Second, func() { late.want.confirm(1) })
}

// providerIsBack asserts that the new key is known in the time that is promised.
func (s *soaking) providerIsBack() {
	s.t.Helper()
	if wait := keysAgain + time.Second - time.Since(s.back); wait > 0 {
		s.pause(wait)
	}
	s.holdsNewKey(s.load.at("former token"), s.before)
	s.note("tokens of key k%d are taken", s.key)
}

// loseAPIServer lets the API server be away for a while, and takes a key away as soon as it is back.
func (s *soaking) loseAPIServer() {
	s.t.Helper()
	s.writes.Lock()
	defer s.writes.Unlock()
	s.kube.APIServer.Kill()
	s.note("the API server is down")
	s.pause(s.hold)
	must(s.t, s.kube.StartAPIServer(s.t.Context()))
	s.note("the API server is back")
	back := time.Now()
	spare := s.load.at("spare")
	spare.want.writes(http.StatusUnauthorized)
	s.remove(s.pathOf("secret", "spare"))
	s.inForce("a Secret is removed right after that", ofAPIServer, spare)
	for i, r := range s.replicas {
		within(s.t, ofAPIServer-time.Since(back), fmt.Sprintf("all is watched by replica %d", i), func() error { return aged(s.t, r.Agentauth, 0) })
	}
	s.note("both watch everything, %s after it came back", time.Since(back).Round(100*time.Millisecond))
	spare.want.writes(http.StatusOK)
	s.writeSpare(spare)
	s.inForce("the Secret is made again", ofSecrets, spare)
}

// renewDoor gives both doors another certificate. Connections of Envoy stay.
func (s *soaking) renewDoor() {
	s.t.Helper()
	ended := s.connectionsEnded()
	old := s.serial(0)
	s.door.renew(s.t, s.door.ca)
	began := time.Now()
	for i := range s.replicas {
		within(s.t, 10*time.Second, "another certificate", func() error {
			if s.serial(i) == old {
				return errors.New("still the old one")
			}
			return nil
		})
	}
	took, text := time.Since(began), ""
	if took > time.Second {
		s.late++
		text = "  LATE"
	}
	s.note("both doors show another certificate after %s, promised within 1s%s", took.Round(time.Millisecond), text)
	s.pause(time.Second)
	if after := s.connectionsEnded(); after != ended {
		s.t.Errorf("Envoy's connections to the doors ended: %s became %s", ended, after)
	}
}

func (s *soaking) serial(replica int) string {
	s.t.Helper()
	conn, err := tls.Dial("tcp", s.replicas[replica].address, s.proxy)
	must(s.t, err)
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

var endedLine = regexp.MustCompile(`cluster\.agentauth\.upstream_cx_destroy: (\d+)`)

func (s *soaking) connectionsEnded() string {
	s.t.Helper()
	text, err := s.envoy.Get(s.t.Context(), "/stats?filter=cluster.agentauth.upstream_cx_destroy$")
	must(s.t, err)
	m := endedLine.FindSubmatch(text)
	if m == nil {
		s.t.Fatalf("expected a count of connections, got %s", text)
	}
	return string(m[1])
}

// restart restarts the second replica; the first one lives through all of the soak.
func (s *soaking) restart() {
	s.t.Helper()
	r := s.replicas[1]
	r.end(s.t)
	s.note("a replica has ended")
	r.start(s.t)
	s.healthy()
	s.note("it is back")
}
