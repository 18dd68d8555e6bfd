// An app behind proxies that end TLS: a login with a secure cookie, what it knows of its client, and orders that are counted.
import express from 'express'
import session from 'express-session'
import { openSpace } from 'takespace'
import { SpaceSessionStore } from 'takespace/session'

const space = await openSpace(process.env.TAKESPACE_URL)

const app = express()
app.set('trust proxy', '127.0.0.1')
app.use(
  session({
    store: new SpaceSessionStore({ space }),
    secret: 'of the test behind proxies',
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 600_000, secure: true },
  }),
)
app.use(express.text())
const told = (req) => ({ user: req.session.user, orders: req.session.orders, ip: req.ip, protocol: req.protocol })
app.post('/login', (req, res) => {
  req.session.user = req.body
  req.session.orders = 0
  res.json(told(req))
})
app.get('/me', (req, res) => res.json(told(req)))
app.post('/order', (req, res) => {
  req.session.orders++
  res.json(told(req))
})

export default app
