//go:build e2e && linux

package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

const (
	smallKey = "x-api-key: gateway-api-key-of-the-small-one"
	largeKey = "x-api-key: gateway-api-key-of-the-large-one"
)

func TestARateLimitHasTheLimitAndTheCostThatAgentauthSays(t *testing.T) {
	s := theStage
	get := func(key string) parts.Request { return parts.Get("limited.example.test/", key) }
	post := parts.Request{Method: http.MethodPost, Target: "limited.example.test/", Headers: []string{largeKey}}
	s.http.Becomes(t, http.StatusOK, get(largeKey))
	for range 3 { // an hour of the small one
		s.http.Answers(t, http.StatusOK, get(smallKey))
	}
	s.http.Answers(t, http.StatusTooManyRequests, get(smallKey))
	before := s.limits.Hits("=large")
	s.http.Answers(t, http.StatusOK, get(largeKey))
	s.http.Answers(t, http.StatusOK, post)
	if cost := s.limits.Hits("=large") - before; cost != 1+5 {
		t.Errorf("expected a read to cost 1 and a change 5, got %d", cost)
	}
	used := s.limits.Hits("=")
	s.http.Answers(t, http.StatusUnauthorized, parts.Get("limited.example.test/", "x-api-key: nobodys", "x-agent-id: large"))
	if s.limits.Hits("=") != used {
		t.Error("a refused request used somebody's limit")
	}
}

// logged is a line of the access log.
type logged struct {
	Status              float64
	Host, Method, Agent string
	Limit               map[string]any
	Cost                float64
}

func TestTheAccessLogSaysWhoWasRefused(t *testing.T) {
	s := theStage
	s.http.Becomes(t, http.StatusForbidden, parts.Request{Method: http.MethodDelete, Target: "limited.example.test/refused", Headers: []string{largeKey}})
	s.http.Becomes(t, http.StatusUnauthorized, parts.Request{Method: http.MethodPut, Target: "limited.example.test/", Headers: []string{"x-agent-id: large"}})
	find := func(method string) (line logged) {
		parts.Within(t, 20*time.Second, func() error {
			text, err := os.ReadFile(s.words["@ACCESSLOG@"])
			for _, l := range strings.Split(string(text), "\n") {
				line = logged{}
				if json.Unmarshal([]byte(l), &line) == nil && line.Host == "limited.example.test" && line.Method == method {
					return nil
				}
			}
			return fmt.Errorf("expected a %s in the access log, got %v:\n%s", method, err, text)
		})
		return line
	}
	if l := find(http.MethodDelete); l.Status != 403 || l.Agent != "large" || l.Cost != 5 || l.Limit["requests_per_unit"] != 1000.0 || l.Limit["unit"] != "HOUR" {
		t.Errorf("expected that the large one was refused, and its cost and limit, got %+v", l)
	}
	if l := find(http.MethodPut); l.Status != 401 || l.Agent != "" || l.Limit != nil || l.Cost != 5 {
		t.Errorf("expected that nobody was refused, and the cost, got %+v", l)
	}
}
