// An agent that fetches an access token with its client id and secret (RFC 6749 4.4), then calls.
import axios from 'axios'

const { TOKEN_URL, CLIENT_ID, CLIENT_SECRET, SCOPE, RESOURCE, API_URL } = process.env

const token = await axios.post(TOKEN_URL, new URLSearchParams({
  grant_type: 'client_credentials',
  client_id: CLIENT_ID,
  client_secret: CLIENT_SECRET,
  scope: SCOPE,
  resource: RESOURCE
}))

const response = await axios.get(API_URL, {
  headers: { Authorization: `Bearer ${token.data.access_token}` },
  validateStatus: () => true
})

console.log(response.status)
console.log(JSON.stringify(response.data))
process.exitCode = response.status >= 200 && response.status < 300 ? 0 : 1
