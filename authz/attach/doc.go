// Package attach finds the Gateway API rule that serves a request, and the
// policy that is attached to it.
//
// Start with [New]. It reads the objects of Gateway API and the targetRefs of
// policies; a policy is a number here, its index in the list that New is given.
// A decision asks in this order:
//
//  1. [Attachments.Named] for the rules that the proxy's word leaves possible,
//     or, if the proxy does not name its route, [Attachments.Serve] for every
//     rule by which some proxy would serve the request;
//  2. [Attachments.Holder] for the policy of each rule;
//  3. if a rule has none, whatever the caller knows besides targetRefs, and then
//     [Attachments.Fallback].
//
// A request is decided only if all its rules lead to one policy. What became of
// the targets of a policy is its [Status].
//
// Proxies do not agree on the order of routes, and nothing says which proxy
// asks. So Serve never chooses between two orders: it returns the rules of both.
// Which listener admits a route follows from specs alone, since a status comes
// late.
package attach
