package authn

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/work"
)

const (
	// maxNamesakes is how many authorities may have one name: so many signatures a
	// certificate may be tried with.
	maxNamesakes = 8
	// maxComparisons bounds the names that are held against name constraints.
	maxComparisons = 10_000
	minRSA         = 2048
	maxRSA         = 8192
)

// CheckAuthorities says what is wrong with certificates that are to verify those of
// clients. Each is an authority by itself: it need not be a root. An error names none
// of their content.
func CheckAuthorities(list []*x509.Certificate) error {
	namesakes := map[string]int{}
	for i, ca := range list {
		if !ca.IsCA || !ca.BasicConstraintsValid {
			return fmt.Errorf("certificate %d is no authority (basic constraints, RFC 5280 4.2.1.9); give the certificate that signs those of clients", i+1)
		}
		if why := oddKey(ca.PublicKey); why != "" {
			return fmt.Errorf("the key of certificate %d %s", i+1, why)
		}
		if namesakes[string(ca.RawSubject)]++; namesakes[string(ca.RawSubject)] > maxNamesakes {
			return fmt.Errorf("expected at most %d authorities of one name, got more; leave out those that ended", maxNamesakes)
		}
	}
	return nil
}

// oddKey says why a key is not used; "" if it is.
func oddKey(public any) string {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n >= minRSA && n <= maxRSA {
			return ""
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() || k.Curve == elliptic.P521() {
			return ""
		}
	case ed25519.PublicKey:
		return ""
	}
	return "is none of RSA (2048 to 8192 bits), ECDSA (P-256, P-384, P-521) and Ed25519"
}

// period is a time within which a certificate and its authority are valid, both ends
// included.
type period struct {
	from, until time.Time
	authority   *x509.Certificate
}

func (p period) empty() bool { return p.until.Before(p.from) }

// both is the time within both.
func both(cert, ca *x509.Certificate) period {
	p := period{cert.NotBefore, cert.NotAfter, ca}
	if ca.NotBefore.After(p.from) {
		p.from = ca.NotBefore
	}
	if ca.NotAfter.Before(p.until) {
		p.until = ca.NotAfter
	}
	return p
}

// verify finds the authorities that signed a certificate for clients, and the time
// within which it is valid with them. An authority that was renewed under its name and
// key has several certificates: of times that do not meet the one counts that now is in,
// else the last. The errors are those of Verify.
func (c *ClientCertificate) verify(ctx context.Context, cert *x509.Certificate, now time.Time) (period, error) {
	var periods []period
	tried, failed := 0, untrusted("no certificate of an authority has the name of its issuer")
	for _, ca := range c.Authorities {
		if !bytes.Equal(ca.RawSubject, cert.RawIssuer) {
			continue
		}
		p := both(cert, ca)
		if p.empty() {
			failed = reject(authz.CertificateExpired, "it and its authority are not valid at one time")
			continue
		}
		tried++
		err := c.inTurn(ctx, ca, tried, func() error { return signed(cert, ca, p.from) })
		rejected := (*Rejected)(nil)
		switch {
		case err == nil:
			periods = append(periods, p)
		case errors.As(err, &rejected):
			failed = err
		default:
			return period{}, err
		}
	}
	if len(periods) == 0 {
		return period{}, failed
	}
	return within(periods, now), nil
}

// within joins times that meet, and returns the one that now is in, else the last.
func within(periods []period, now time.Time) period {
	slices.SortFunc(periods, func(a, b period) int { return cmp.Or(a.from.Compare(b.from), a.until.Compare(b.until)) })
	last := periods[0]
	for _, p := range periods[1:] {
		switch {
		case !p.from.After(last.until):
			if p.until.After(last.until) {
				last.until = p.until
			}
		case !now.Before(last.from) && !now.After(last.until):
			return last
		default:
			last = p
		}
	}
	return last
}

// signed is nil if the authority signed the certificate, at a time when both are
// valid, for a client. The system's authorities are not asked.
func signed(cert, ca *x509.Certificate, at time.Time) error {
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	_, err := cert.Verify(x509.VerifyOptions{
		Roots: pool, CurrentTime: at, MaxConstraintComparisions: maxComparisons,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return untrusted("it is not for clients: its extended key usage, or that of its authority, lacks clientAuth")
	case errors.As(err, &invalid):
		return untrusted("its authority may not sign it: its names, or its place below the authority, are not admitted")
	}
	return untrusted("the authority that has the name of its issuer did not sign it")
}

func untrusted(detail string) error { return reject(authz.CertificateUntrusted, detail) }

// inTurn runs at once what costs no more than a signature of ES256, and when it is the
// owner's turn what costs more.
func (c *ClientCertificate) inTurn(ctx context.Context, ca *x509.Certificate, tried int, check func() error) error {
	kind, slow := slowKey(ca.PublicKey)
	if !slow && tried <= freeKeys {
		if ctx.Err() != nil {
			return errCertificateLate
		}
		return check()
	}
	result := make(chan error, 1)
	switch err := c.Scheduler.Do(ctx, work.Task{Owner: c.Owner, Kind: kind}, func() { result <- check() }); {
	case errors.Is(err, work.ErrOverloaded):
		return &Unavailable{Reason: authz.Overloaded, Detail: "too many slow signatures are waiting to be checked, or this one takes longer than the time that is left"}
	case err != nil:
		return errCertificateLate
	}
	return <-result
}

var errCertificateLate = &Unavailable{Reason: authz.Unavailable, Detail: "the certificate could not be checked in time"}
