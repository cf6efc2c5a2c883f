// An MCP server with the official SDK, as people write them: it knows nothing of OAuth, and reads who calls from the
// headers that the proxy sets.
//
//   node mcp-server.mjs PORT
//
// Streamable HTTP at every path, with sessions. A request that carries a credential is answered with 500: it must never
// come so far. Tools: search_orders (query), refund (order, amount), whoami. A resource and a prompt.
// The names of test_* are what the scenarios of @modelcontextprotocol/conformance ask for.
import { randomUUID } from 'node:crypto'
import http from 'node:http'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { z } from 'zod'

const text = (value) => ({ content: [{ type: 'text', text: typeof value === 'string' ? value : JSON.stringify(value) }] })
const caller = (extra) => ({ agent: extra.requestInfo.headers['x-agent-id'], tool: extra.requestInfo.headers['x-mcp-tool'] })

function build () {
  const server = new McpServer({ name: 'orders', version: '1.0.0' }, { capabilities: { logging: {} } })
  server.registerTool('search_orders', { description: 'Finds orders', inputSchema: { query: z.string() } },
    ({ query }, extra) => text({ found: [`an order of ${query}`], ...caller(extra) }))
  server.registerTool('refund', { description: 'Gives money back', inputSchema: { order: z.string(), amount: z.number() } },
    ({ order, amount }, extra) => text({ refunded: amount, order, ...caller(extra) }))
  server.registerTool('delete_everything', { description: 'Nobody may', inputSchema: {} }, () => text('gone'))
  server.registerTool('whoami', { description: 'Tells who calls' }, (extra) => text(caller(extra)))
  server.registerResource('catalog', 'orders://catalog', { mimeType: 'text/plain' },
    (uri) => ({ contents: [{ uri: uri.href, text: 'apples, pears' }] }))
  server.registerResource('ledger', 'orders://ledger', { mimeType: 'text/plain' },
    (uri) => ({ contents: [{ uri: uri.href, text: 'a secret' }] }))
  server.registerPrompt('summary', { argsSchema: { order: z.string() } },
    ({ order }) => ({ messages: [{ role: 'user', content: { type: 'text', text: `Summarise ${order}` } }] }))
  server.registerTool('test_simple_text', {}, () => text('This is a simple text response for testing.'))
  server.registerTool('test_error_handling', {}, () => { throw new Error('This tool intentionally returns an error for testing') })
  server.registerPrompt('test_simple_prompt', {}, () => ({ messages: [{ role: 'user', content: { type: 'text', text: 'This is a simple prompt for testing.' } }] }))
  server.registerResource('static-text', 'test://static-text', { mimeType: 'text/plain' },
    (uri) => ({ contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'This is the content of the static text resource.' }] }))
  return server
}

const sessions = new Map()

async function transportOf (req) {
  const id = req.headers['mcp-session-id']
  if (sessions.has(id)) return sessions.get(id)
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => sessions.set(id, transport),
    onsessionclosed: (id) => sessions.delete(id)
  })
  await build().connect(transport)
  return transport
}

const server = http.createServer(async (req, res) => {
  if (req.headers.authorization || req.headers['x-api-key'] || req.headers.dpop || /[?&]access_token=/.test(req.url)) {
    console.error('a credential came to the server:', req.method, req.url.split('?')[0])
    res.writeHead(500).end('a credential came to the server')
    return
  }
  if (req.url === '/healthz') {
    res.end('well')
    return
  }
  try {
    await (await transportOf(req)).handleRequest(req, res)
  } catch (err) {
    console.error(err)
    if (!res.headersSent) res.writeHead(500).end()
  }
})
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    server.close(() => process.exit(0))
    server.closeAllConnections()
  })
}
server.listen(Number(process.argv[2]), '127.0.0.1')
