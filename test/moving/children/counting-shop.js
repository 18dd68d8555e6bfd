// An app in a space that moves: a login, and orders that are counted in the session.
import express from 'express'
import session from 'express-session'
import { openSpace } from 'takespace'
import { SpaceSessionStore } from 'takespace/session'

const { TAKESPACE_URL: url, TAKESPACE_NEXT_URL: nextUrl } = process.env
const space = await openSpace(url, { nextUrl })

const app = express()
app.use(
  session({
    store: new SpaceSessionStore({ space }),
    secret: 'of the test of moves',
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 600_000 },
  }),
)
app.use(express.text())
app.post('/login', (req, res) => {
  req.session.user = req.body
  req.session.orders = 0
  res.json({ user: req.session.user, orders: 0 })
})
app.post('/order', (req, res) => {
  req.session.orders++
  res.json({ user: req.session.user, orders: req.session.orders })
})

export const tasks = { double: (n) => n * 2 }
export default app
