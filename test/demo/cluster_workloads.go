package main

import (
	"context"
	"strings"
)

// ledger is the API that these workloads call.
const ledger = "books.example.com"

// workloadScenes are of callers who are ServiceAccounts of the cluster.
func workloadScenes(s *stage) []scene {
	const policy = "shop/ledger"
	return []scene{
		{who: "bookkeeper", with: "its ServiceAccount's token", asks: "GET https books.example.com/", status: 200, reason: "Allowed", policy: policy,
			call: s.asAccount("GET", "bookkeeper", "ledger"), upstream: as("system:serviceaccount:shop:bookkeeper", "workloads")},
		{who: "bookkeeper", with: "a token for another API", asks: "GET https books.example.com/", status: 401, reason: "AudienceMismatch", policy: policy,
			call: s.asAccount("GET", "bookkeeper", "orders")},
		{who: "bookkeeper", with: "its token, a Role to read", asks: "POST https books.example.com/", status: 403, reason: "AccessDenied", policy: policy,
			call: s.asAccount("POST", "bookkeeper", "ledger")},
		{who: "passer-by", with: "its token, without a Role", asks: "GET https books.example.com/", status: 403, reason: "AccessDenied", policy: policy,
			call: s.asAccount("GET", "passer-by", "ledger")},
	}
}

// asAccount gets a token of a ServiceAccount and sends a request over TLS with it.
func (s *stage) asAccount(method, account, audience string) func(context.Context) (answer, error) {
	return func(ctx context.Context) (answer, error) {
		token, err := s.cluster.Kubectl(ctx, "", "create", "token", account, "-n", "shop", "--audience", audience)
		if err != nil {
			return answer{}, err
		}
		return request(s.client, method, s.https+"/", "host", ledger, "authorization", "Bearer "+strings.TrimSpace(token))(ctx)
	}
}
