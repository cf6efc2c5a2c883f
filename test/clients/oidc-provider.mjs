// An OpenID provider (the certified `oidc-provider` package) for tests and the demo.
//
//   node oidc-provider.mjs CONFIG.json
//
// CONFIG.json: {
//   "port":      where it listens on 127.0.0.1,
//   "issuer":    what it calls itself; default http(s)://127.0.0.1:PORT,
//   "tls":       {"cert": FILE, "key": FILE}; without it plain http,
//   "jwks":      {"keys": [private JWKs]}; the first that fits an algorithm signs with it,
//   "clients":   [{"id", "secret", "scope", "auth", "jwks"}]; each may use client_credentials and introspection;
//                auth is how it authenticates, default client_secret_post; jwks are its public keys for private_key_jwt,
//                a client with "exchanges": true may exchange opaque tokens too (RFC 8693); "ttl" is how long its opaque tokens last,
//   "resources": [{"audience", "scope", "alg", "ttl", "opaque"}]; ttl in seconds, default 3600.
//                A token asked for such a resource is an at+jwt, or opaque; without a resource it is opaque,
//   "people":    whether people log in: authorization code with PKCE, for clients that register themselves (RFC 7591)
//                or have a metadata document at the URL that is their id. Whoever comes is logged in as alice, and
//                agrees to all that is asked,
//   "signs":     whether it signs its answers about tokens (RFC 9701), whatever a client accepts
// }
//
// SIGHUP reads the file again: keys, clients and resources change, the port and TLS do not. A file
// that is wrong ends the program at start and is refused, aloud, later.
import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import Provider, { errors } from 'oidc-provider'

const configFile = process.argv[2]
if (!configFile) {
  console.error('usage: node oidc-provider.mjs CONFIG.json')
  process.exit(2)
}

const read = () => JSON.parse(readFileSync(configFile, 'utf8'))

function resourceServer (resources, indicator) {
  const found = resources.find((r) => r.audience === indicator)
  if (!found) throw new errors.InvalidTarget(`no such resource: ${indicator}`)
  return {
    audience: found.audience,
    scope: found.scope,
    accessTokenFormat: found.opaque ? 'opaque' : 'jwt',
    accessTokenTTL: found.ttl ?? 3600,
    jwt: { sign: { alg: found.alg ?? 'RS256' } }
  }
}

const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange'

// The new token is the client's own; introspection says whose the old one was, and who acts.
function exchangeTokens (built) {
  built.registerGrantType(tokenExchange, async (ctx) => {
    const { client, params } = ctx.oidc
    const [subject, actor] = await Promise.all([params.subject_token, params.actor_token].map((t) => t && built.ClientCredentials.find(t)))
    if (!subject || subject.isExpired) throw new errors.InvalidGrant('the subject token is not known, or ended')
    ctx.exchanged = { subject: subject.clientId, audience: params.audience, ...(actor && { act: { sub: actor.clientId } }) }
    const token = new built.ClientCredentials({ client, scope: params.scope })
    ctx.oidc.entity('ClientCredentials', token)
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: token.tokenType,
      expires_in: token.expiration
    }
  }, ['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type', 'audience', 'scope'])
}

// grantAll is a new grant of all that a request asks for.
async function grantAll (ctx) {
  const { client, account, params, provider } = ctx.oidc
  const grant = new provider.Grant({ clientId: client.clientId, accountId: account.accountId })
  grant.addOIDCScope(params.scope)
  for (const resource of [params.resource ?? []].flat()) grant.addResourceScope(resource, params.scope)
  await grant.save()
  return grant
}

// ofPeople is what a provider needs beside the rest, if people log in.
const ofPeople = (scopes) => ({
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  loadExistingGrant: grantAll,
  interactions: { url: (_ctx, interaction) => `/people/${interaction.uid}` },
  cookies: { keys: ['of a test'] },
  // A client registers with the scopes that it needs at first. It must be able to ask for more later.
  extraClientMetadata: {
    properties: ['registered'],
    validator (_ctx, _key, _value, metadata) { if (metadata.redirect_uris?.length) metadata.scope = scopes.join(' ') }
  },
  // The provider's own fetch dials no loopback addresses; here the documents of clients are there.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options)
})

function provider (config) {
  const resources = config.resources ?? []
  const named = [...resources, ...config.clients].flatMap((x) => x.scope.split(' '))
  const issuer = config.issuer ?? `${config.tls ? 'https' : 'http'}://127.0.0.1:${config.port}`
  const scopes = [...new Set(['openid', ...named])]
  const built = new Provider(issuer, {
    ...(config.people ? ofPeople(scopes) : {}),
    jwks: config.jwks,
    clients: config.clients.map(({ id, secret, scope, auth, jwks, exchanges }) => ({
      client_id: id,
      client_secret: secret,
      jwks,
      scope,
      grant_types: ['client_credentials', ...(exchanges ? [tokenExchange] : [])],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: config.jwks.keys[0].alg, // none are issued; it must fit a key
      // axios posts id and secret in the body; the other client authentication is Basic.
      token_endpoint_auth_method: auth ?? 'client_secret_post'
    })),
    scopes,
    features: {
      devInteractions: { enabled: false }, // pages for people, whom no test has
      registration: { enabled: config.people === true },
      clientIdMetadataDocument: { enabled: config.people === true, ack: 'draft-02' },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: async () => true },
      jwtIntrospection: { enabled: config.signs === true },
      revocation: { enabled: true },
      dPoP: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: async (_ctx, indicator) => resourceServer(resources, indicator)
      }
    },
    extraTokenClaims: (ctx) => ctx.exchanged,
    ttl: {
      ClientCredentials: (_ctx, token) =>
        token.resourceServer?.accessTokenTTL ?? config.clients.find((c) => c.id === token.clientId)?.ttl ?? 3600
    }
  })
  exchangeTokens(built)
  if (config.signs) {
    built.use(async (ctx, next) => {
      if (ctx.path === '/token/introspection') ctx.req.headers.accept = 'application/token-introspection+jwt'
      await next()
    })
  }
  built.on('server_error', (_ctx, err) => console.error('server_error', err))
  built.on('grant.error', (_ctx, err) => console.error('grant.error', err.message, err.error_description ?? ''))
  const serve = built.callback()
  return (req, res) => config.people && req.url.startsWith('/people/')
    ? built.interactionFinished(req, res, { login: { accountId: 'alice' }, consent: {} })
    : serve(req, res)
}

const config = read()
let current = provider(config)
const answer = (req, res) => current(req, res)
const server = config.tls
  ? https.createServer({ cert: readFileSync(config.tls.cert), key: readFileSync(config.tls.key) }, answer)
  : http.createServer(answer)

process.on('SIGHUP', () => {
  try {
    current = provider(read())
    console.log('configuration read again')
  } catch (err) {
    console.error('configuration refused, the old one stays:', err.message)
  }
})
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    server.close(() => process.exit(0))
    server.closeAllConnections()
  })
}
server.listen(config.port, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${config.port}`))
