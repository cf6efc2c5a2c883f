// Package extauthz is the door for Envoy: gRPC ext_authz
// (envoy.service.auth.v3) and grpc.health.v1 on one port. It is the only place
// that knows Envoy's types.
//
// [Listen] opens the door, and refuses to unless it is known who stands at it
// ([Config]). Each check is decoded to an authz.Raw, handed to a [Decider],
// and its authz.Decision encoded. Two facts about Envoy rule this package:
//
//   - A denied response whose gRPC status is OK is let through. Status and
//     HTTP response are therefore only ever built together (encode.go).
//   - A gRPC error is a yes where the operator set failure_mode_allow. Every
//     check is therefore answered by a response: what cannot be decoded is
//     refused as an empty request, a panic and a cancelled check are 503.
package extauthz
