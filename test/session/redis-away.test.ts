/** While Redis is away nobody is logged out: a request that brings a session is answered 503, and has it again when Redis is back. */
import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import { expect, test } from '@jest/globals'
import express from 'express'
import expressSession from 'express-session'
import Fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { createSession } from 'koa-session'
import { AnyEntry } from '../../src/entry.js'
import type { SpaceError } from '../../src/errors.js'
import {
  FastifySessionStore,
  fetchSessions,
  KoaSessionStore,
  newSessionId,
  SpaceSessionStore,
  session,
} from '../../src/session/index.js'
import { failOnLeaks } from '../support/leaks.js'
import { overLink } from '../support/over-link.js'
import { Browser, serve } from './serving.js'

const SECRET = 'a secret that has at least thirty-two characters'
const far = overLink({ appendonly: true })

async function onExpress() {
  const app = express()
  app.set('env', 'test')
  app.use(
    expressSession({
      store: new SpaceSessionStore({ space: far.far }),
      secret: SECRET,
      resave: false,
      saveUninitialized: false,
    }),
  )
  app.get('/count', (req, res) => {
    const own = req.session as unknown as { n?: number }
    own.n = (own.n ?? 0) + 1
    res.send(String(own.n))
  })
  return serve(app)
}

async function onFastify() {
  const app = Fastify()
  await app.register(fastifyCookie)
  // biome-ignore lint/suspicious/noExplicitAny: attributes are the app's own
  const options: any = { store: new FastifySessionStore({ space: far.far }), secret: SECRET, cookie: { secure: false } }
  await app.register(fastifySession, options)
  app.get('/count', async (request) => {
    const own = request.session as unknown as { n?: number }
    own.n = (own.n ?? 0) + 1
    return String(own.n)
  })
  return { url: await app.listen({ host: '127.0.0.1', port: 0 }), close: () => app.close() }
}

async function onKoa() {
  const app = new Koa()
  app.keys = [SECRET]
  app.on('error', () => {})
  // biome-ignore lint/suspicious/noExplicitAny: its types know nothing of attributes
  app.use(createSession({ store: new KoaSessionStore({ space: far.far }), genid: newSessionId } as any, app as any))
  app.use((ctx) => {
    // biome-ignore lint/suspicious/noExplicitAny: as above
    const own = (ctx as any).session
    own.n = (own.n ?? 0) + 1
    ctx.body = String(own.n)
  })
  return serve(app.callback())
}

const sessions = () => fetchSessions({ space: far.far, secret: SECRET })
const counted = (request: Request): string => {
  const own = session(request)
  own.set('n', (own.get<number>('n') ?? 0) + 1)
  return String(own.get('n'))
}

async function onFetch() {
  const handler = sessions().wrap((request) => new Response(counted(request)))
  return { url: handler, close: async () => {} }
}

async function onHono() {
  const app = new Hono()
  app.use(sessions().hono)
  app.get('/count', (c) => c.text(counted(c.req.raw)))
  return { url: async (request: Request) => app.fetch(request), close: async () => {} }
}

const FRAMEWORKS = [
  ['express-session', onExpress],
  ['Fastify', onFastify],
  ['Koa', onKoa],
  ['a fetch app', onFetch],
  ['Hono', onHono],
] as const

test('a request that brings a session is answered 503, and never as if it had none', async () => {
  const all = await Promise.all(FRAMEWORKS.map(async ([name, serveOn]) => ({ name, served: await serveOn() })))
  const browsers = all.map(({ name, served }) => ({ name, browser: new Browser(served.url) }))
  try {
    for (const { browser } of browsers) expect((await browser.get('/count')).text).toBe('1')
    const cookies = browsers.map(({ browser }) => [...browser.cookies])
    await far.away()
    const answers = await Promise.all(
      browsers.map(async ({ name, browser }) => [name, (await browser.get('/count')).status]),
    )
    expect(answers).toEqual(FRAMEWORKS.map(([name]) => [name, 503]))
    expect(browsers.map(({ browser }) => [...browser.cookies])).toEqual(cookies)
    await far.back()
    const again = await Promise.all(
      browsers.map(async ({ name, browser }) => [name, (await browser.get('/count')).text]),
    )
    expect(again).toEqual(FRAMEWORKS.map(([name]) => [name, '2']))
  } finally {
    await Promise.all(all.map(({ served }) => served.close()))
  }
})

test('a lock and a wait for it outlive a cut of the link', async () => {
  const { sessions: here } = far.far.engine
  const { sessions: there } = far.near.engine
  const terms = { lockMs: 60_000, waitMs: 20_000 }
  const change = { leaseMs: 60_000, isNew: false, removed: [], maxBytes: 1_000 }
  await here.save('$cut', { ...change, isNew: true, set: [['n', '0']], lock: '' })
  const held = await here.load('$cut', terms)
  const waits = [here.load('$cut', terms), there.load('$cut', terms)]
  await there.count()
  far.link.cut()
  // Sent while there is no link, and done under the lock when there is.
  const saved = here.save('$cut', { ...change, set: [['n', '1']], lock: held?.lock as string })
  expect(await saved).not.toBeNull()
  const first = await Promise.race(waits)
  expect(first?.attributes.get('n')?.text).toBe('1')
  await (first === (await Promise.race([waits[0], Promise.resolve(undefined)])) ? here : there).release(
    first?.lock as string,
  )
  const both = await Promise.all(waits)
  const second = both.find((loaded) => loaded !== first)
  expect(second?.lock).not.toBe('')
})

test('a save whose answer is lost is done once, and unknown only where another one has changed the same since', async () => {
  const { sessions: here } = far.far.engine
  const { sessions: there } = far.near.engine
  const change = { leaseMs: 60_000, isNew: false, removed: [], lock: '', maxBytes: 10_000 }
  const x = (length: number): string => JSON.stringify('x'.repeat(length))
  // Sent whole, and as what has changed of much.
  for (const rest of [x(10), x(5_000)]) {
    for (const other of ['', 'm', 'n']) {
      const id = `$lost${rest.length}${other}`
      await here.save(id, { ...change, isNew: true, set: [['n', '0'], ['m', '0'], ['rest', rest]] }) // biome-ignore format: one session
      const base = await here.load(id)
      const dropped = far.link.dropNextReplyThenCut((bytes) => bytes.toString('latin1').startsWith('$1\r\nk\r\n'))
      // A lease that would end before the first one goes by the batch: its process knows the lease clock to a few ms only.
      const saved = here
        .save(id, { ...change, leaseMs: 120_000, base: base!, set: [['n', '1']] })
        .catch((error) => error.code)
      await dropped
      await far.link.refuse()
      if (other) await there.save(id, { ...change, set: [[other, '2']] })
      await far.link.accept()
      if (other === 'n') expect(await saved).toBe('OUTCOME_UNKNOWN')
      else expect(await saved).toMatchObject({ version: expect.any(String), isKnown: false })
      const is = await there.load(id)
      const texts = Object.fromEntries(Array.from(is!.attributes, ([name, { text }]) => [name, text]))
      expect(texts).toEqual({ rest, n: '1', m: '0', ...(other ? { [other]: '2' } : {}) })
    }
  }
})

test('what a stranger wrote there is an error of whoever loads it, and of nobody else', async () => {
  const { sessions: entries } = far.near.engine
  const change = { leaseMs: 60_000, set: [['n', '1']] as [string, string][], removed: [], lock: '', maxBytes: 1_000 }
  const forever = '9999999999999 00000001 xxxxxxxxxxxxxxxx '
  const texts = [
    '',
    'x',
    '\n',
    forever,
    `${forever}\n`,
    `${forever}%E4\n`,
    `${forever}\nn\tv\t5\nx`,
    `${forever}\n\t\t\n`,
    `${forever}\nn\tv\t-1\n1`,
  ]
  for (const [i, text] of texts.entries()) {
    const id = `$bad${i}`
    await entries.save(id, { ...change, isNew: true })
    await far.redis.cli('SET', `{ts:default}:session:${id}`, text)
    // All at once, in one batch with those of others.
    const terms = { lockMs: 1_000, waitMs: 1_000 }
    const tried = await Promise.allSettled([
      entries.load(id),
      entries.save(id, { ...change, isNew: false }),
      entries.load(id, terms),
      entries.load(id, terms),
      entries.touch(id, 60_000, ''),
      far.near.readIfExists(AnyEntry),
      entries.destroy(id),
    ])
    expect(tried[5]).toEqual({ status: 'fulfilled', value: null })
    for (const each of tried) {
      if (each.status === 'rejected')
        expect(['INVALID_ENTRY', 'SESSION_LOCKED']).toContain((each.reason as SpaceError).code)
    }
    await far.redis.cli('DEL', `{ts:default}:session:${id}`)
  }
  expect(await entries.load('$bad0')).toBeNull()
})

test('a session id stands nowhere in Redis, neither in a key nor in what is under it', async () => {
  const store = new SpaceSessionStore({ space: far.near, userOf: ({ user }) => user })
  const id = newSessionId()
  await store.set(id, { cookie: { originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000) }, user: 'ann' })
  const keys = (await far.redis.cli('KEYS', '*')).split('\n')
  expect(keys.some((key) => key.includes(store.idOf(id)))).toBe(true)
  for (const key of keys) {
    expect(key).not.toContain(id)
    expect(await far.redis.cli('DUMP', key)).not.toContain(id)
  }
  await store.destroy(id)
})

failOnLeaks()
