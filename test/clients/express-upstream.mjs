// An API as people write it with Express: letter case and a final slash of a path do not matter to it, it
// believes the proxy (`trust proxy`), reads `tenant[]=x` as `tenant`, and lets a header name the method.
//
//   node express-upstream.mjs PORT
//
// It answers {"served": what it took the request for, "path", "agent", "read"}. `served` is "public", or the name
// of what a policy guards.
import express from 'express'
import methodOverride from 'method-override'

const app = express()
app.set('trust proxy', true)
app.set('query parser', 'extended') // the default of Express 4
app.use(methodOverride('X-HTTP-Method-Override'))
app.use(methodOverride('X-HTTP-Method'))
app.use(methodOverride('X-Method-Override'))
app.use(express.text({ type: () => true }))

const serve = (served) => (req, res) => res.json({ served, path: req.originalUrl, agent: req.get('x-agent-id') ?? '', read: req.get('x-read-path') ?? '' })
const where = (guarded, served) => (req, res, next) => guarded(req) ? serve(served)(req, res) : next()

app.use(where((req) => req.hostname === 'admin.readings.test', 'the admin site'))
app.use(where((req) => ['x-original-url', 'x-rewrite-url'].some((name) => req.get(name)?.startsWith('/admin')), 'another path'))
app.use(where((req) => req.get('x-tenant')?.split(',').some((t) => t.trim() === 'victim'), 'the header’s tenant'))
app.use(where((req) => [req.query.tenant].flat(9).some((t) => t === 'victim' || Object.values(t ?? {}).includes('victim')), 'the query’s tenant'))
app.use(where((req) => req.method === 'DELETE', 'a deletion'))
app.all('/empty', where((req) => typeof req.body === 'string' && req.body !== '', 'a body'))
app.get('/admin', serve('the admin pages'))
app.get('/admin/{*rest}', serve('the admin pages'))
app.get('/secret', serve('the secret'))
app.get('/folder/', serve('the folder'))
app.get('/reports', serve('the reports'))
app.use(serve('public'))

app.listen(Number(process.argv[2]), '127.0.0.1')
