package main

import "testing"

func TestTheAnswerOfAServerShowsNoHeaderThatMayHoldAToken(t *testing.T) {
	for name, want := range map[string]bool{
		"authorization": true, "proxy-authorization": true, "x-api-key": true, "x-goog-api-key": true, "x-amz-security-token": true, "client-secret": true,
		"x-agent-id": false, "x-tenant": false,
	} {
		if got := mayHoldToken(name); got != want {
			t.Errorf("%s: expected %t, got %t", name, want, got)
		}
	}
}
