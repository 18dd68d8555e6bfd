/** A login behind a proxy that ends TLS, from the command line: the secure cookie is set, the app knows the client, and strangers claim nothing. */
import { expect, test } from '@jest/globals'
import { end, startDev } from '../support/dev.js'
import { failOnLeaks } from '../support/leaks.js'
import { scratch } from '../support/scratch.js'

const { write } = scratch('proxies', ['express', 'express-session'])

const app = write(
  'app.mjs',
  `import express from 'express'
  import session from 'express-session'
  const app = express()
  app.set('trust proxy', true)
  app.use(session({ secret: 's', resave: false, saveUninitialized: true, cookie: { secure: true } }))
  app.get('/', (req, res) => res.json({ secure: req.secure, ip: req.ip, host: req.hostname }))
  export default app`,
)

/** The fields of a proxy that ends TLS. */
const headers = {
  'x-forwarded-for': '203.0.113.7',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'shop.example',
}

test('--trust-proxy lets an app set a secure cookie', async () => {
  const [dev, url] = await startDev(app, ['--trust-proxy', '127.0.0.1', '--no-reload'])
  const response = await fetch(url, { headers })
  expect(response.headers.get('set-cookie')).toMatch(/;\s*secure/i)
  expect(await response.json()).toEqual({ secure: true, ip: '203.0.113.7', host: 'shop.example' })
  await end(dev)
})

test('without the flag the fields are dropped, and a warning names the flag', async () => {
  const [dev, url] = await startDev(app, ['--no-reload'], { LOG_LEVEL: 'warn' })
  const response = await fetch(url, { headers })
  expect(response.headers.get('set-cookie')).toBeNull()
  expect(await response.json()).toEqual({ secure: false, ip: '127.0.0.1', host: '127.0.0.1' })
  await dev.line(/forwarded fields of a private peer are dropped.*--trust-proxy/)
  await end(dev)
})

failOnLeaks()
