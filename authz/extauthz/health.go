package extauthz

import (
	"context"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// healthServer is grpc.health.v1 for the server as a whole ("") and for the
// Authorization service. Its watches end when the door closes: a graceful stop
// waits for every call, and a watch would last for ever.
type healthServer struct {
	*health.Server
	closing context.Context
	close   context.CancelFunc
}

func newHealth() *healthServer {
	h := &healthServer{Server: health.NewServer()}
	h.closing, h.close = context.WithCancel(context.Background())
	h.setReady(false)
	return h
}

func (h *healthServer) setReady(ready bool) {
	status := healthpb.HealthCheckResponse_NOT_SERVING
	if ready {
		status = healthpb.HealthCheckResponse_SERVING
	}
	h.SetServingStatus("", status)
	h.SetServingStatus(authv3.Authorization_ServiceDesc.ServiceName, status)
}

// Shutdown says NOT_SERVING from now on and ends all watches.
func (h *healthServer) Shutdown() {
	h.Server.Shutdown()
	h.close()
}

// Watch implements grpc.health.v1; the last word of a watch is NOT_SERVING.
func (h *healthServer) Watch(in *healthpb.HealthCheckRequest, stream healthpb.Health_WatchServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer context.AfterFunc(h.closing, cancel)()
	defer cancel()
	err := h.Server.Watch(in, &watch{stream, ctx})
	if h.closing.Err() == nil || stream.Context().Err() != nil {
		return err
	}
	return stream.Send(&healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_NOT_SERVING})
}

type watch struct {
	healthpb.Health_WatchServer
	ctx context.Context
}

func (w *watch) Context() context.Context { return w.ctx }
