package parts

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"sync"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// RateLimitHost is where the Envoys of an Envoy Gateway ask about global rate limits. In a Private process it is a name
// of besideAddress, since Envoy Gateway itself has the port on every address.
const RateLimitHost = "envoy-ratelimit." + gatewayNamespace + ".svc.cluster.local"

// RateLimits is a rate limit service that counts without a Redis, and forgets nothing. It holds each caller to the
// limit that Envoy sends with the question; without one nobody gets through.
type RateLimits struct {
	ratelimit.UnimplementedRateLimitServiceServer
	server *grpc.Server

	mu   sync.Mutex
	hits map[string]uint64
}

// StartRateLimits starts one with the certificate that Envoy Gateway makes for it.
func StartRateLimits(ctx context.Context, c *Cluster) (*RateLimits, error) {
	var secret struct{ Data map[string][]byte }
	if err := c.getJSON(ctx, &secret, "secret", "envoy-rate-limit", "-n", gatewayNamespace); err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
	if err != nil {
		return nil, err
	}
	listener, err := listenBeside("8081")
	if err != nil {
		return nil, err
	}
	s := &RateLimits{hits: map[string]uint64{}, server: grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&pair)))}
	ratelimit.RegisterRateLimitServiceServer(s.server, s)
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

// Stop ends it.
func (s *RateLimits) Stop() error { s.server.Stop(); return nil }

// Hits are what a caller with this in its descriptor has used.
func (s *RateLimits) Hits(caller string) (n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for who, hits := range s.hits {
		if strings.Contains(who, caller) {
			n += hits
		}
	}
	return n
}

// ShouldRateLimit implements the service.
func (s *RateLimits) ShouldRateLimit(_ context.Context, r *ratelimit.RateLimitRequest) (*ratelimit.RateLimitResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &ratelimit.RateLimitResponse{OverallCode: ratelimit.RateLimitResponse_OK}
	for _, d := range r.GetDescriptors() {
		var who strings.Builder
		for _, e := range d.GetEntries() {
			fmt.Fprintf(&who, "%s=%s ", e.GetKey(), e.GetValue())
		}
		cost := uint64(1)
		if d.GetHitsAddend() != nil {
			cost = d.GetHitsAddend().GetValue()
		}
		s.hits[who.String()] += cost
		status := &ratelimit.RateLimitResponse_DescriptorStatus{Code: ratelimit.RateLimitResponse_OK}
		if s.hits[who.String()] > uint64(d.GetLimit().GetRequestsPerUnit()) {
			status.Code, out.OverallCode = ratelimit.RateLimitResponse_OVER_LIMIT, ratelimit.RateLimitResponse_OVER_LIMIT
		}
		out.Statuses = append(out.Statuses, status)
	}
	return out, nil
}
