// An agent that logs in with a user name and a password (RFC 7617).
const { API_URL, API_USER, API_PASSWORD } = process.env

const response = await fetch(API_URL, {
  headers: {
    Authorization: 'Basic ' + Buffer.from(`${API_USER}:${API_PASSWORD}`).toString('base64')
  }
})

console.log(response.status)
console.log(await response.text())
process.exitCode = response.ok ? 0 : 1
