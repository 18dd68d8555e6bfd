/** An app for fault tests whose state is in sessions: /add/:name counts an attribute, and the session carries 1 KiB that changes with it. */
import express from 'express'
import session from 'express-session'
import { openSpace } from 'takespace'
import { SpaceSessionStore } from 'takespace/session'

const space = await openSpace(process.env.TAKESPACE_URL)
const store = new SpaceSessionStore({ space, policy: process.env.SESSION_POLICY, lock: { waitMs: 20_000 } })

const app = express()
app.use(
  session({
    store,
    secret: 'of the fault tests',
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 600_000 },
  }),
)
app.get('/add/:name', (req, res) => {
  const { name } = req.params
  req.session[name] = (req.session[name] ?? 0) + 1
  if (req.query.fill) req.session.last = `${req.session[name]}:${'x'.repeat(1_024)}`.slice(0, 1_024)
  res.send(`${req.session[name]} ${process.pid}`)
})
app.get('/all', (req, res) => res.json(req.session))

export default app
