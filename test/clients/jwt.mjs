// An agent that signs its own token with a secret it shares with the API.
import jwt from 'jsonwebtoken'

const { JWT_SECRET, API_URL, ROLE = 'manager' } = process.env

const token = jwt.sign({ id: 'agent-7', role: ROLE }, JWT_SECRET, { expiresIn: '1h' })

const response = await fetch(API_URL, {
  headers: { Authorization: `Bearer ${token}` }
})

console.log(response.status)
console.log(await response.text())
process.exitCode = response.ok ? 0 : 1
