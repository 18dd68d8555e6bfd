/** A small shop: an ordinary Express app, whose state travels in a cookie, so that any worker can serve anyone. */
import { setTimeout as pause } from 'node:timers/promises'
import express from 'express'
import { currentRequest } from 'takespace/workers'

const LONGEST_MS = 10_000

const products = [
  { id: '1', name: 'Mocha pot', price: 38, symbol: '☕', text: 'Six cups, made to outlive its owner.' },
  { id: '2', name: 'Desk lamp', price: 72, symbol: '💡', text: 'Warm light, a long arm, no app.' },
  { id: '3', name: 'Notebook', price: 14, symbol: '📓', text: 'Dotted pages that lie flat.' },
  { id: '4', name: 'Field tent', price: 240, symbol: '⛺', text: 'Two people, three seasons, 1.9 kg.' },
  { id: '5', name: 'Hand plane', price: 96, symbol: '🪵', text: 'Beech and steel, sharp on arrival.' },
  { id: '6', name: 'Sea salt', price: 9, symbol: '🧂', text: 'A year of dinners in one jar.' },
]

const css = `
  body { margin: 0; font: 17px/1.5 system-ui, sans-serif; color: #23262b; background: #f6f4ef }
  header, main { max-width: 56rem; margin: auto; padding: 1.2rem 1.5rem }
  header { display: flex; gap: 1.5rem; align-items: baseline } header b { font-size: 1.3rem; flex: 1 }
  a { color: #14594c; text-decoration: none } a:hover { text-decoration: underline }
  ul { list-style: none; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem }
  li, article { background: #fff; border: 1px solid #e4e0d6; border-radius: 12px; padding: 1.2rem }
  .symbol { font-size: 2.6rem } .price { color: #6b6f76 } p { margin: .4rem 0 }
  button { font: inherit; color: #fff; background: #14594c; border: 0; border-radius: 8px; padding: .5rem 1.1rem; cursor: pointer }`

/** The products in the visitor's cart. What is in the cookie came from outside, so only what is known counts. */
function cartOf(req) {
  const cookie = /(?:^|;\s*)cart=([^;]*)/.exec(req.headers.cookie ?? '')?.[1] ?? ''
  return cookie.split('.').flatMap((id) => products.find((product) => product.id === id) ?? [])
}

const page = (req, title, body) => `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${css}</style>
<header><b><a href="/">Space Shop</a></b><a href="/cart">Cart (${cartOf(req).length})</a><a href="/whoami">Who am I?</a></header>
<main>${body}</main></html>`

const heading = ({ name, price, symbol }) =>
  `<div class="symbol">${symbol}</div><p><strong>${name}</strong> <span class="price">€ ${price}</span></p>`

const app = express()
app.use(express.urlencoded({ extended: false }))

app.get('/', (req, res) => {
  const cards = products.map(
    (product) => `<li><a href="/products/${product.id}">${heading(product)}</a>${product.text}</li>`,
  )
  res.send(page(req, 'Space Shop', `<h1>Things that last</h1><ul>${cards.join('')}</ul>`))
})

app.get('/products/:id', (req, res, next) => {
  const product = products.find(({ id }) => id === req.params.id)
  if (!product) return next()
  const form = `<form method="post" action="/cart"><input type="hidden" name="id" value="${product.id}"><button>Add to cart</button></form>`
  res.send(page(req, product.name, `<article>${heading(product)}<p>${product.text}</p>${form}</article>`))
})

app.get('/api/products', (_req, res) => res.json(products))

app.get('/cart', (req, res) => {
  const cart = cartOf(req)
  const total = cart.reduce((sum, { price }) => sum + price, 0)
  const rows = cart.map((product) => `<li>${heading(product)}</li>`).join('')
  const sum = cart.length ? `Together € ${total}` : 'Nothing in it yet.'
  res.send(page(req, 'Cart', `<h1>Your cart</h1><ul>${rows}</ul><p>${sum}</p>`))
})

app.post('/cart', (req, res) => {
  const product = products.find(({ id }) => id === req.body?.id)
  if (!product) return res.status(400).send(page(req, 'Not found', '<h1>We have no such product.</h1>'))
  const ids = [...cartOf(req), product].slice(-50).map(({ id }) => id)
  res.cookie('cart', ids.join('.'), { httpOnly: true, sameSite: 'lax' }).redirect(303, '/cart')
})

/** For trying out what happens to slow requests: stop a worker while one is under way. */
app.get('/slow', async (req, res) => {
  const ms = Math.min(Math.max(Number(req.query.ms ?? 1_000) || 0, 0), LONGEST_MS)
  await pause(ms)
  res.json({ waitedMs: ms, process: process.pid })
})

app.get('/whoami', (_req, res) => {
  res.json({ process: process.pid, ...requestInSpace() })
})

/** Served without takespace, the app has no current request. */
function requestInSpace() {
  try {
    const { id, attempt } = currentRequest()
    return { request: id, attempt }
  } catch {
    return { request: null, attempt: null }
  }
}

app.use((req, res) => {
  res.status(404).send(page(req, 'Not found', '<h1>There is nothing here.</h1><p><a href="/">Back to the shop</a></p>'))
})

export default app
