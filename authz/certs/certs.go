// Package certs reads certificates of authorities that somebody wrote down.
package certs

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// maxCertificates is more than what operating systems trust.
const maxCertificates = 1000

// Pool reads certificates in PEM, as List does.
func Pool(data []byte) (*x509.CertPool, error) {
	list, err := List(data)
	if err != nil {
		return nil, err
	}
	return PoolOf(list), nil
}

// PoolOf is a pool of certificates.
func PoolOf(list []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, cert := range list {
		pool.AddCert(cert)
	}
	return pool
}

// List reads certificates in PEM. It is strict where x509.CertPool skips: an
// authority that was written down and is not in force must not go unnoticed. An
// error repeats nothing of the data.
func List(data []byte) (list []*x509.Certificate, err error) {
	n := 0
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if n++; n > maxCertificates {
			continue
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("expected only CERTIFICATE blocks in PEM, and block %d is of another type", n)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be parsed", n)
		}
		list = append(list, cert)
	}
	switch {
	case n > maxCertificates:
		return nil, fmt.Errorf("expected at most %d certificates, got %d; leave out the authorities that sign nobody here", maxCertificates, n)
	case strings.Contains(string(data), "-----BEGIN"):
		return nil, fmt.Errorf("expected certificates in PEM, and block %d is broken", n+1)
	case n == 0:
		return nil, errors.New("expected certificates in PEM, and there are none")
	}
	return list, nil
}
