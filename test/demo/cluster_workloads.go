package main

import (
	"context"
	"strings"
)

// workloadScenes are of callers who are ServiceAccounts of the cluster.
func workloadScenes(s *stage) []scene {
	const ledger, policy = "ledger.example.com", "shop/ledger"
	return []scene{
		{who: "bookkeeper", with: "its ServiceAccount's token", asks: "GET https ledger.example.com/", status: 200, reason: "Allowed", policy: policy,
			call: s.asAccount("GET", "bookkeeper", "ledger", ledger), upstream: as("system:serviceaccount:shop:bookkeeper", "workloads")},
		{who: "bookkeeper", with: "a token for another API", asks: "GET https ledger.example.com/", status: 401, reason: "AudienceMismatch", policy: policy,
			call: s.asAccount("GET", "bookkeeper", "orders", ledger)},
		{who: "bookkeeper", with: "its token, a Role to read", asks: "POST https ledger.example.com/", status: 403, reason: "AccessDenied", policy: policy,
			call: s.asAccount("POST", "bookkeeper", "ledger", ledger)},
		{who: "passer-by", with: "its token, without a Role", asks: "GET https ledger.example.com/", status: 403, reason: "AccessDenied", policy: policy,
			call: s.asAccount("GET", "passer-by", "ledger", ledger)},
	}
}

// asAccount gets a token of a ServiceAccount and sends a request over TLS with it.
func (s *stage) asAccount(method, account, audience, host string) func(context.Context) (answer, error) {
	return func(ctx context.Context) (answer, error) {
		token, err := s.cluster.Kubectl(ctx, "", "create", "token", account, "-n", "shop", "--audience", audience)
		if err != nil {
			return answer{}, err
		}
		return request(s.client, method, s.https+"/", "host", host, "authorization", "Bearer "+strings.TrimSpace(token))(ctx)
	}
}
