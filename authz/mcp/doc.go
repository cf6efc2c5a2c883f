// Package mcp reads requests to servers of the Model Context Protocol, and knows
// nothing of policies.
//
// [Read] makes one [Call] of a request: the JSON-RPC message in its complete body,
// read so strictly that no server can read another one in it. What the headers and
// the proxy say of the message must agree with it.
//
// What differs between the versions of the protocol:
//
//	2025-03-26  The body may be a batch, which is refused here in every version: a
//	            batch is many calls, and later versions have none.
//	to 2025-11-25  The client may send responses (to requests of the server), GET
//	            opens a stream of the server's messages, DELETE ends a session.
//	2025-06-18  MCP-Protocol-Version comes with every request but the first. It may
//	            be absent: the server assumes 2025-03-26 then.
//	2026-07-28  Each request says its version in _meta and in MCP-Protocol-Version,
//	            its method in Mcp-Method and what it names in Mcp-Name. The client
//	            sends no responses. subscriptions/listen stands for
//	            resources/subscribe, and names resources too.
//
// A version that is not listed is left to the server, but for what is compared.
package mcp
