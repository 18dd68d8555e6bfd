/** A cart in a session: log in, fill it, kill the worker that served you, and it is still there. Run: docs/sessions.md, Try it. */
import express from 'express'
import session from 'express-session'
import { openSpace } from 'takespace'
import { SpaceSessionStore } from 'takespace/session'

// Every worker process opens the same space. In memory (`takespace dev`) there is one process, and so one space.
const space = await openSpace(process.env.TAKESPACE_URL ?? 'memory:')
const store = new SpaceSessionStore({ space, userOf: (session) => session.user })

const app = express()
app.use(express.urlencoded({ extended: false }))
app.use(
  session({
    store,
    // For a real shop: from its environment, the new one first and the old one behind it while it is changed.
    secret: ['a secret of the example'],
    resave: false,
    saveUninitialized: false,
    // `secure: 'auto'`: over TLS only, where the request came by TLS. A shop on the Internet says true.
    cookie: { maxAge: 30 * 60_000, httpOnly: true, sameSite: 'lax', secure: 'auto' },
  }),
)

const escaped = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)

const page = (body) =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>Cart</title>${body}<p><small>Served by process ${process.pid}.</small></p></html>`

app.get('/', (req, res) => {
  const { user, cart = [] } = req.session
  if (!user) {
    return res.send(
      page('<form method="post" action="/login"><input name="user" required><button>Log in</button></form>'),
    )
  }
  const items = cart.map((item) => `<li>${escaped(item)}</li>`).join('')
  res.send(
    page(`<h1>${escaped(user)}</h1><ul>${items}</ul>
<form method="post" action="/cart"><input name="item" required><button>Add</button></form>
<form method="post" action="/logout"><button>Log out</button></form>
<form method="post" action="/logout-everywhere"><button>Log out everywhere else</button></form>`),
  )
})

app.post('/login', (req, res, next) => {
  // A new id, so that one which somebody had planted before is worth nothing now.
  req.session.regenerate((error) => {
    if (error) return next(error)
    req.session.user = req.body.user
    // Saved before the browser is sent on: the next request may be another worker's.
    req.session.save((failed) => (failed ? next(failed) : res.redirect(303, '/')))
  })
})

app.post('/cart', (req, res, next) => {
  req.session.cart = [...(req.session.cart ?? []), req.body.item]
  req.session.save((failed) => (failed ? next(failed) : res.redirect(303, '/')))
})

app.post('/logout', (req, res, next) => {
  req.session.destroy((error) => (error ? next(error) : res.redirect(303, '/')))
})

app.post('/logout-everywhere', async (req, res) => {
  if (req.session.user) await store.destroyAll(req.session.user, { except: req.sessionID })
  res.redirect(303, '/')
})

export default app
