// Package forward is the HTTP door, for proxies that ask by a request of HTTP about each
// request that they got: Envoy's http_service, nginx's auth_request, Traefik's ForwardAuth
// and Caddy's forward_auth ([Dialect]).
//
// [Listen] opens the door as package extauthz opens its own. Each subrequest is read as
// the request that it is about (original.go): of a few headers the proxy is the author,
// each of them comes once, and none is read in two ways. What cannot be read so is decided
// as an empty request, which is 400. The decision is written as its dialect has it
// (answer.go).
//
// Three facts rule this package:
//
//   - 2xx is an allowance. An answer of agentauth's own (a metadata document) is 404.
//   - Proxies take over those headers of an answer that their configuration names. A
//     decision that needs another one is refused by [Within]: it would be half of it.
//   - No proxy removes a parameter of the query. What needs it is refused too.
package forward
