// Package cases reads the shared cases of testdata/*.txtar: policies, requests
// and the decisions that are wanted. Every way to agentauth runs the same
// cases (the kernel, gRPC, a directory of policies, a real Envoy), so that a
// policy means one thing.
//
// A file is a txtar archive. Its comment says what it is about, and may have a
// line "unmatched allow" (--unmatched=allow-unauthenticated). `policies.yaml`
// holds manifests; `requests` holds requests, each a block:
//
//	== a sentence that is true if the case passes
//	GET https://orders.example.com/v1/orders?x=1
//	x-api-key: …
//	@context agentauth.dev/policy=shop/orders
//	-> deny 401 NoCredential
//	-> answers www-authenticate: Bearer
//
// After the request line come header fields and settings that begin with @
// (see parseSetting); then what is wanted (see check.go). Both files may use
// ${…} for what would be unreadable written out (see expand.go). The time of
// every request is Now.
package cases

import "time"

// Now is 1800000000 seconds after 1970.
var Now = time.Unix(1_800_000_000, 0).UTC()
