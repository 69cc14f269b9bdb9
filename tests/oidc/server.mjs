// An OAuth server for tests, on loopback: oidc-provider, which consents by itself, rotates refresh tokens, and revokes
// every token of a consent when an old one comes again. Beside it an API that takes its access tokens, and /control.
// All of it listens over TLS as well, where clients may show a certificate and the API demands the one that a token is bound to.
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { createHash, createPublicKey } from 'node:crypto'
import Provider from 'oidc-provider'

const setup = JSON.parse(process.env.SETUP)
const counts = { token: {}, revoked: 0, api: 0, refused: 0 }
const state = { lifetime: 3600, delay: 0, decline: false }

const server = createServer()
await new Promise((done) => server.listen(0, '127.0.0.1', done))
const secure = createSecureServer({ ...setup.tls, requestCert: true, rejectUnauthorized: false })
await new Promise((done) => secure.listen(0, '127.0.0.1', done))
const issuer = `http://127.0.0.1:${server.address().port}`

const common = { redirect_uris: ['http://127.0.0.1/callback'], application_type: 'native', response_types: ['code'] }
const device = 'urn:ietf:params:oauth:grant-type:device_code'
const grants = ['authorization_code', 'refresh_token', 'client_credentials', device]
const clients = [
  { ...common, client_id: 'post', client_secret: setup.secret, token_endpoint_auth_method: 'client_secret_post', grant_types: grants },
  { ...common, client_id: 'basic:&client', client_secret: setup.secret, token_endpoint_auth_method: 'client_secret_basic', grant_types: grants },
  { ...common, client_id: 'public', token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token', device] },
  {
    ...common, client_id: 'signed', token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'RS256', grant_types: grants,
    jwks: { keys: [{ ...createPublicKey(setup.public_key).export({ format: 'jwk' }), kid: 'k1', use: 'sig', alg: 'RS256' }] },
  },
  {
    ...common, client_id: 'certified', token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_subject_dn: 'CN=robot', grant_types: grants,
    tls_client_certificate_bound_access_tokens: true,
  },
  { ...common, client_id: 'bound', client_secret: setup.secret, grant_types: grants, tls_client_certificate_bound_access_tokens: true, token_endpoint_auth_method: 'client_secret_post' },
]

const certificate = (req) => req.socket.getPeerX509Certificate?.()

const provider = new Provider(issuer, {
  clients,
  jwks: { keys: [setup.jwk] },
  cookies: { keys: ['test'] },
  scopes: ['openid', 'offline_access', 'read', 'write'],
  pkce: { required: () => true },
  rotateRefreshToken: () => true,
  issueRefreshToken: async () => true,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  ttl: { AccessToken: () => state.lifetime, ClientCredentials: () => state.lifetime, RefreshToken: 86400, DeviceCode: 60, Grant: 86400, Session: 86400, Interaction: 600, AuthorizationCode: 60, IdToken: 3600 },
  clientBasedCORS: () => false,
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'none'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    revocation: { enabled: true },
    deviceFlow: { enabled: true },
    mTLS: {
      enabled: true,
      tlsClientAuth: true,
      certificateBoundAccessTokens: true,
      getCertificate: (ctx) => certificate(ctx.req)?.toString(),
      certificateAuthorized: (ctx) => ctx.req.socket.authorized === true,
      certificateSubjectMatches: (ctx, _, expected) => certificate(ctx.req)?.subject.split('\n').includes(expected),
    },
  },
})
provider.on('grant.revoked', () => { counts.revoked += 1 })

const grantFor = async (clientId, accountId, scope) => {
  const grant = new provider.Grant({ clientId, accountId })
  grant.addOIDCScope(scope)
  return grant.save()
}

// A person who consents at once, or declines at once.
const interact = async (req, res) => {
  if (state.decline) {
    return provider.interactionFinished(req, res, { error: 'access_denied', error_description: 'the person said no' })
  }
  const { prompt, params, session } = await provider.interactionDetails(req, res)
  if (prompt.name === 'login') {
    return provider.interactionFinished(req, res, { login: { accountId: 'jo' } })
  }
  const grantId = await grantFor(params.client_id, session.accountId, params.scope || 'openid')
  return provider.interactionFinished(req, res, { consent: { grantId } }, { mergeWithLastSubmission: true })
}

const json = (res, status, body) => {
  res.writeHead(status, { 'Content-Type': 'application/json' })
  res.end(JSON.stringify(body))
}

const api = async (req, res) => {
  counts.api += 1
  const value = (req.headers.authorization || '').replace(/^Bearer /, '')
  const token = (await provider.AccessToken.find(value)) || (await provider.ClientCredentials.find(value))
  const hash = token?.['x5t#S256']
  const shown = certificate(req)
  if (token?.isValid && (!hash || (shown && createHash('sha256').update(shown.raw).digest('base64url') === hash))) {
    return json(res, 200, { ok: true, client: token.clientId, account: token.accountId || null })
  }
  counts.refused += 1
  return json(res, 401, { error: 'unauthorized' })
}

const control = async (url, res) => {
  const query = Object.fromEntries(url.searchParams)
  if (url.pathname === '/control/set') {
    Object.assign(state, Object.fromEntries(Object.entries(query).map(([key, value]) => [key, JSON.parse(value)])))
  } else if (url.pathname === '/control/token') {
    // The tokens of a consent that was given before.
    const client = await provider.Client.find(query.client)
    const scope = 'openid offline_access read'
    const grantId = await grantFor(query.client, 'jo', scope)
    const now = Math.floor(Date.now() / 1000)
    const fields = { accountId: 'jo', client, clientId: query.client, grantId, gty: 'authorization_code', scope, sessionUid: 'x', authTime: now }
    const refresh = await new provider.RefreshToken({ ...fields, rotations: 0, iiat: now }).save()
    const access = await new provider.AccessToken({ ...fields }).save()
    return json(res, 200, { refresh_token: refresh, access_token: access })
  } else if (url.pathname === '/control/revoke') {
    const token = await provider.AccessToken.find(query.token)
    await token?.destroy()
  } else if (url.pathname === '/control/alive') {
    const found = await provider.RefreshToken.find(query.token)
    return json(res, 200, { alive: Boolean(found?.isValid) })
  } else if (url.pathname === '/control/device') {
    const code = await provider.DeviceCode.findByUserCode(query.user_code.replace(/-/g, '').toUpperCase())
    if (query.deny) {
      Object.assign(code, { error: 'access_denied', errorDescription: 'the person said no' })
    } else {
      code.grantId = await grantFor(code.clientId, 'jo', code.params.scope || 'openid')
      Object.assign(code, { accountId: 'jo', scope: code.params.scope, authTime: Math.floor(Date.now() / 1000), sessionUid: 'x' })
    }
    await code.save()
  }
  return json(res, 200, counts)
}

const handle = provider.callback()
const answer = async (req, res) => {
  const url = new URL(req.url, issuer)
  try {
    if (url.pathname.startsWith('/interaction/')) return await interact(req, res)
    if (url.pathname.startsWith('/control/')) return await control(url, res)
    if (url.pathname.startsWith('/api/')) return await api(req, res)
    if (url.pathname === '/token') {
      if (state.delay) await new Promise((done) => setTimeout(done, state.delay))
      if (state.token_answer) {
        counts.token.faked = (counts.token.faked || 0) + 1
        return json(res, state.token_answer.status, state.token_answer.body)
      }
    }
    return await handle(req, res)
  } catch (error) {
    return json(res, 500, { error: 'server_error', error_description: String(error) })
  }
}
server.on('request', answer)
secure.on('request', answer)
provider.on('grant.success', (ctx) => { const kind = ctx.oidc.params.grant_type; counts.token[kind] = (counts.token[kind] || 0) + 1 })
provider.on('grant.error', (ctx, error) => { counts.token[error.error] = (counts.token[error.error] || 0) + 1 })
console.log(`listening on ${issuer} https://127.0.0.1:${secure.address().port}`)
