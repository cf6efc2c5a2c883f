// Package egress is the one HTTP client for URLs that policies name: key sets,
// discovery documents, introspection endpoints. Whoever may write a policy may
// choose such a URL, so the client decides where a connection may go, how much
// it reads and how long it waits.
//
//   - https only, unless [Config.AllowHTTP].
//   - Global unicast addresses only, judged at each dial, after the name was
//     resolved: what is judged is what is dialled, whatever DNS says next time.
//     [Config.AllowCIDRs] opens what an operator means to open.
//   - Proxy environment variables are not honoured: a proxy would dial for us.
//   - At most three redirects of a GET, within its origin; none of a POST.
//   - 1 MiB of body, 5 s altogether, 4 requests at once per origin.
//
// Errors say what went wrong in words of this package. They never hold the URL
// or anything the server sent, and so may be shown in a status.
package egress
