// An agent with the official MCP SDK, which is given nothing but the URL of a server: it finds the authorization server,
// registers itself there, lets its user (who has no hands, but follows redirects) log in, and calls.
//
//   MCP_URL=https://… node mcp-client.mjs STEP...
//
// A step is "list", "call TOOL ARGUMENTS", "read URI", "prompt NAME ARGUMENTS"; arguments are a JSON object.
// CLIENT_METADATA_URL is the client's id where the authorization server takes such ids; else it registers.
// Each thing that happens is a line of JSON: {"fetch", "status", …} for requests, {"step", "result" or "error"} for
// steps. No line has a token in it.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const { MCP_URL, CLIENT_METADATA_URL } = process.env
const redirectUrl = 'http://127.0.0.1:9/callback' // nobody listens: the redirect there is read, not followed
const say = (line) => console.log(JSON.stringify(line))

// heard is fetch, and says what was asked and answered.
async function heard (url, init) {
  const response = await fetch(url, init)
  const { origin, pathname } = new URL(url)
  const form = init?.body instanceof URLSearchParams ? init.body : undefined
  say({
    fetch: origin + pathname,
    method: init?.method ?? 'GET',
    status: response.status,
    challenge: response.headers.get('www-authenticate') ?? undefined,
    grant: form?.get('grant_type') ?? undefined,
    resource: form?.get('resource') ?? undefined,
    clientId: form?.get('client_id') === CLIENT_METADATA_URL ? CLIENT_METADATA_URL : undefined
  })
  return response
}

// logIn follows redirects with cookies, as a browser does, until the one that goes back to the client.
async function logIn (url) {
  say({ authorize: url.origin + url.pathname, scope: url.searchParams.get('scope'), resource: url.searchParams.get('resource'), pkce: url.searchParams.get('code_challenge_method') })
  const cookies = new Map()
  for (let hops = 0; hops < 10; hops++) {
    const response = await fetch(url, { redirect: 'manual', headers: { cookie: [...cookies].map(([k, v]) => `${k}=${v}`).join('; ') } })
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)
      cookies.set(name, value)
    }
    const location = response.headers.get('location')
    if (!location) throw new Error(`expected a redirect, got ${response.status}: ${await response.text()}`)
    url = new URL(location, url)
    if (url.href.startsWith(redirectUrl)) {
      if (url.searchParams.has('error')) throw new Error(`refused: ${url.searchParams.get('error')}: ${url.searchParams.get('error_description')}`)
      return url.searchParams.get('code')
    }
  }
  throw new Error('too many redirects')
}

// What an OAuth client remembers.
const kept = {}
const provider = {
  redirectUrl,
  clientMetadataUrl: CLIENT_METADATA_URL,
  clientMetadata: { client_name: 'agent', redirect_uris: [redirectUrl], grant_types: ['authorization_code'], response_types: ['code'], token_endpoint_auth_method: 'none' },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => { kept.client = client },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens; say({ token: tokens.token_type, scope: tokens.scope, jwt: tokens.access_token.split('.').length === 3 }) },
  saveCodeVerifier: (verifier) => { kept.verifier = verifier },
  codeVerifier: () => kept.verifier,
  redirectToAuthorization: async (url) => { kept.code = await logIn(url) }
}

// authorized does something that may first need a token, or one of more scopes.
async function authorized (transport, what) {
  try {
    return await what()
  } catch (err) {
    if (!(err instanceof UnauthorizedError)) throw err
    await transport().finishAuth(kept.code)
    return await what()
  }
}

let client, transport
const connect = async () => {
  client = new Client({ name: 'agent', version: '1.0.0' })
  transport = new StreamableHTTPClientTransport(new URL(MCP_URL), { authProvider: provider, fetch: heard })
  await client.connect(transport)
}

const steps = {
  list: async () => (await client.listTools()).tools.map((tool) => tool.name),
  call: async (name, args = '{}') => (await client.callTool({ name, arguments: JSON.parse(args) })).content[0].text,
  read: async (uri) => (await client.readResource({ uri })).contents[0].text,
  prompt: async (name, args = '{}') => (await client.getPrompt({ name, arguments: JSON.parse(args) })).messages[0].content.text
}

await authorized(() => transport, connect)
say({ connected: client.getServerVersion().name, version: transport.protocolVersion })
for (const step of process.argv.slice(2)) {
  const [what, name, ...rest] = step.split(' ')
  try {
    say({ step, result: await authorized(() => transport, () => steps[what](name, rest.length ? rest.join(' ') : undefined)) })
  } catch (err) {
    say({ step, error: err.message, code: err.code })
  }
}
await client.close()
process.exit() // a connection that is kept for more would be waited for
