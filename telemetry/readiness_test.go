package telemetry

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// slow is somebody who does not read the answer.
type slow struct {
	http.ResponseWriter
	asked, read chan struct{}
}

func (s *slow) Write(b []byte) (int, error) {
	close(s.asked)
	<-s.read
	return len(b), nil
}

func TestWhoReadsReadinessSlowlyHoldsUpNoLoad(t *testing.T) {
	var readiness Readiness
	w := &slow{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	go readiness.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz?verbose", nil))
	defer close(w.read)
	<-w.asked
	loaded := make(chan struct{})
	go func() {
		readiness.Ready()
		close(loaded)
	}()
	select {
	case <-loaded:
	case <-time.After(5 * time.Second):
		t.Error("a load waits for who reads /readyz")
	}
}
