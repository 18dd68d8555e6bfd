/** The same sessions in the conventions of Fastify, Koa, fetch apps and Hono, each with its real library, in memory and on Redis. */
import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import { afterEach, describe, expect, test } from '@jest/globals'
import Fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { createSession } from 'koa-session'
import {
  FastifySessionStore,
  type FetchSessions,
  fetchSessions,
  KoaSessionStore,
  newSessionId,
  session,
} from '../../src/session/index.js'
import type { Space } from '../../src/space.js'
import { everyEngine } from '../support/every-engine.js'
import { until } from '../support/until.js'
import { Browser, serve } from './serving.js'

const SECRET = 'a secret that has at least thirty-two characters'
const userOf = ({ user }: { user?: string }) => user

interface Served {
  /** A server, or a fetch function. */
  readonly to: ConstructorParameters<typeof Browser>[0]
  readonly store: Pick<KoaSessionStore, 'count' | 'destroyAll' | 'notify' | 'idOf'>
  close(): Promise<void>
}

interface More {
  readonly policy?: 'merge' | 'reject' | 'lock'
  readonly maxAgeMs?: number
}

/** An app of five routes, in each framework: /set/:name/:value, /count, /get, /login/:user, /logout, and /slow/:name that waits for `go`. */
type Serve = (space: Space, go: () => Promise<void>, more?: More) => Promise<Served>

const onFastify: Serve = async (space, go, { policy = 'merge', maxAgeMs = 60_000 } = {}) => {
  const store = new FastifySessionStore({ space, policy, userOf })
  const app = Fastify()
  await app.register(fastifyCookie)
  // biome-ignore lint/suspicious/noExplicitAny: its types want a store of its own
  const options: any = { store, secret: SECRET, saveUninitialized: false, cookie: { secure: false, maxAge: maxAgeMs } }
  await app.register(fastifySession, options)
  app.addHook('onResponse', async (request) => store.release(request.session))
  app.get('/set/:name/:value', async (request) => {
    const { name, value } = request.params as Record<string, string>
    request.session.set(name as never, value as never)
    return 'set'
  })
  app.get('/count', async (request) => {
    const n = Number(request.session.get('n' as never) ?? 0) + 1
    request.session.set('n' as never, n as never)
    return String(n)
  })
  app.get('/get', async (request) => JSON.stringify(request.session))
  app.get('/login/:user', async (request) => {
    await request.session.regenerate()
    request.session.set('user' as never, (request.params as { user: string }).user as never)
    return 'hello'
  })
  app.get('/logout', async (request) => {
    await request.session.destroy()
    return 'gone'
  })
  app.get('/slow/:name', async (request) => {
    request.session.set((request.params as { name: string }).name as never, 'slow' as never)
    await go()
    return 'done'
  })
  const to = await app.listen({ host: '127.0.0.1', port: 0 })
  return { to, store, close: () => app.close() }
}

const onKoa: Serve = async (space, go, { policy = 'merge', maxAgeMs = 60_000 } = {}) => {
  const store = new KoaSessionStore({ space, policy, userOf })
  const app = new Koa()
  app.keys = [SECRET]
  // biome-ignore lint/suspicious/noExplicitAny: its types know nothing of attributes
  app.use(createSession({ store, genid: newSessionId, maxAge: maxAgeMs, rolling: true } as any, app as any))
  app.use(async (ctx) => {
    // biome-ignore lint/suspicious/noExplicitAny: as above
    const own = (ctx as any).session
    const [, what, name = '', value] = ctx.path.split('/')
    if (what === 'set') own[name] = value
    else if (what === 'count') own.n = (own.n ?? 0) + 1
    else if (what === 'login') {
      await own.regenerate()
      own.user = name
    } else if (what === 'logout') {
      // biome-ignore lint/suspicious/noExplicitAny: as above
      ;(ctx as any).session = null
    } else if (what === 'slow') {
      own[name] = 'slow'
      await go()
    }
    ctx.body = what === 'count' ? String(own.n) : what === 'get' ? JSON.stringify(own) : 'ok'
  })
  app.on('error', () => {})
  const { url, close } = await serve(app.callback())
  return { to: url, store, close }
}

const sessionsOf = (space: Space, { policy = 'merge', maxAgeMs = 60_000 }: More = {}): FetchSessions =>
  fetchSessions({ space, policy, userOf, secret: SECRET, cookie: { maxAgeMs } })

async function handle(request: Request, go: () => Promise<void>): Promise<Response> {
  const own = session(request)
  const [, what, name = '', value] = new URL(request.url).pathname.split('/')
  if (what === 'set') own.set(name, value)
  else if (what === 'count') own.set('n', (own.get<number>('n') ?? 0) + 1)
  else if (what === 'login') {
    own.regenerate()
    own.set('user', name)
  } else if (what === 'logout') own.destroy()
  else if (what === 'slow') {
    own.set(name, 'slow')
    await go()
  }
  const all = Object.fromEntries(['a', 'b', 'c', 'n', 'user'].map((each) => [each, own.get(each)]))
  return new Response(what === 'count' ? String(own.get('n')) : JSON.stringify(all))
}

const onFetch: Serve = async (space, go, more) => {
  const sessions = sessionsOf(space, more)
  return { to: sessions.wrap((request) => handle(request, go)), store: sessions.store, close: async () => {} }
}

const onHono: Serve = async (space, go, more) => {
  const sessions = sessionsOf(space, more)
  const app = new Hono()
  app.use(sessions.hono)
  app.get('*', (c) => handle(c.req.raw, go))
  return { to: async (request) => app.fetch(request), store: sessions.store, close: async () => {} }
}

const FRAMEWORKS: [string, Serve][] = [
  ['Fastify', onFastify],
  ['Koa', onKoa],
  ['a fetch app', onFetch],
  ['Hono', onHono],
]

everyEngine('Sessions', (opened) => {
  const all: Served[] = []
  afterEach(async () => {
    await Promise.all(all.splice(0).map((served) => served.close()))
    expect(await opened().violations()).toEqual([])
  })
  const kept = async (served: Promise<Served>): Promise<Served> => {
    all.push(await served)
    return served
  }
  const at = (served: Served, like?: Browser): Browser => {
    const browser = new Browser(served.to)
    for (const [name, value] of like?.cookies ?? []) browser.cookies.set(name, value)
    return browser
  }

  describe.each(FRAMEWORKS)('in %s', (_, serveOn) => {
    const here = (more?: More, go = async () => {}) => kept(serveOn(opened().space, go, more))
    const there = (more?: More, go = async () => {}) => kept(serveOn(opened().other, go, more))

    test('any process serves any session, and its expiry is that of the cookie', async () => {
      const [one, two] = [await here({ maxAgeMs: 2_000 }), await there({ maxAgeMs: 2_000 })]
      const browser = at(one)
      const { setCookie } = await browser.get('/set/a/1')
      expect(setCookie.join()).toMatch(/httponly/i)
      const elsewhere = at(two, browser)
      for (let i = 1; i <= 6; i++) expect((await (i % 2 ? elsewhere : browser).get('/count')).text).toBe(String(i))
      expect(JSON.parse((await elsewhere.get('/get')).text)).toMatchObject({ a: '1', n: 6 })
      expect(await two.store.count()).toBe(1)
      // Koa keeps it for 10 s longer than its cookie in the store, and asks itself.
      if (serveOn !== onKoa) await until(async () => (await two.store.count()) === 0, 'its end', 4_000)
    })

    test('two requests at once that change different attributes both count', async () => {
      let release = (): void => {}
      const gate = new Promise<void>((resolve) => {
        release = resolve
      })
      let entered = (): void => {}
      const isIn = new Promise<void>((resolve) => {
        entered = resolve
      })
      const [one, two] = [
        await here({}, () => {
          entered()
          return gate
        }),
        await there(),
      ]
      const browser = at(one)
      await browser.get('/set/a/1')
      const slow = at(one, browser).get('/slow/b')
      await isIn
      await at(two, browser).get('/set/c/2')
      release()
      await slow
      expect(JSON.parse((await at(two, browser).get('/get')).text)).toMatchObject({ a: '1', b: 'slow', c: '2' })
    })

    test('with lock, one attribute is counted right', async () => {
      const [one, two] = [await here({ policy: 'lock' }), await there({ policy: 'lock' })]
      const browser = at(one)
      await browser.get('/count')
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => at(i % 2 ? one : two, browser).get('/count')),
      )
      expect(answers.map(({ text }) => Number(text)).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 20 }, (_, i) => i + 2),
      )
    })

    test('login gives a new id and the old one is dead; logout is for all who have it', async () => {
      const [one, two] = [await here(), await there()]
      const browser = at(one)
      await browser.get('/set/a/1')
      const stolen = at(two, browser)
      await browser.get('/login/ann')
      expect(JSON.parse((await at(two, browser).get('/get')).text)).toMatchObject({ user: 'ann' })
      expect((await stolen.get('/get')).text).not.toContain('ann')
      expect(await two.store.count('ann')).toBe(1)
      const copy = at(two, browser)
      await browser.get('/logout')
      expect(await one.store.count()).toBe(0)
      expect((await copy.get('/get')).text).not.toContain('ann')
    })

    test('an id that the space does not know is not adopted', async () => {
      const one = await here()
      const browser = at(one)
      await browser.get('/login/ann')
      const dead = at(one, browser)
      const [[name, before]] = [...browser.cookies] as [[string, string]]
      expect(await one.store.destroyAll('ann')).toBe(1)
      await dead.get('/set/a/2')
      expect(dead.cookies.get(name)).not.toBe(before)
      expect((await dead.get('/get')).text).not.toContain('ann')
    })

    test('ends are told', async () => {
      const [one, two] = [await here(), await there()]
      const told: unknown[] = []
      await two.store.notify(({ user, reason }) => void told.push([user, reason]))
      const browser = at(one)
      await browser.get('/login/ann')
      await browser.get('/logout')
      await until(() => told.length > 0, 'the end to be told')
      expect(told).toEqual([['ann', 'destroyed']])
    })
  })

  describe('session(request)', () => {
    const wrapped = (handler: (request: Request) => Response | Promise<Response>, options: object = {}) => {
      const sessions = fetchSessions({ space: opened().space, secret: SECRET, ...options })
      return { sessions, browser: new Browser(sessions.wrap(handler)) }
    }

    test('a request that stores nothing gets no cookie, and no session is made', async () => {
      const { browser, sessions } = wrapped((request) => new Response(String(session(request).isNew)))
      const { text, setCookie } = await browser.get('/')
      expect([text, setCookie]).toEqual(['true', []])
      expect(await sessions.store.count()).toBe(0)
    })

    test('its cookie is HttpOnly, SameSite=Lax, signed, and has no more than it should', async () => {
      const { browser } = wrapped((request) => {
        session(request).set('a', 1)
        return new Response('ok')
      })
      const { setCookie } = await browser.get('/')
      expect(setCookie).toHaveLength(1)
      expect(setCookie[0]).toMatch(/^session=s%3A[\w-]{32}\.[\w%]+; Path=\/; HttpOnly; SameSite=Lax$/)
      const [field] = (
        await wrapped(
          (request) => {
            session(request).set('a', 1)
            return Response.redirect('http://app.example/next', 302)
          },
          { cookie: { name: '__Host-session', maxAgeMs: 60_000 } },
        ).browser.get('/')
      ).setCookie
      expect(field).toMatch(/^__Host-session=.*; Max-Age=60; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
    })

    test("secrets are rotated: an old one is read, the first one signs; a stranger's is not", async () => {
      const count = (request: Request): Response => {
        const own = session(request)
        own.set('n', (own.get<number>('n') ?? 0) + 1)
        return new Response(String(own.get('n')))
      }
      const old = wrapped(count, { secret: 'the old secret of the app' }).browser
      await old.get('/')
      const both = wrapped(count, { secret: ['the new secret of the app', 'the old secret of the app'] }).browser
      for (const [name, value] of old.cookies) both.cookies.set(name, value)
      expect((await both.get('/')).text).toBe('2')
      const other = wrapped(count, { secret: 'the secret of somebody else' }).browser
      for (const [name, value] of old.cookies) other.cookies.set(name, value)
      expect((await other.get('/')).text).toBe('1')
    })

    test('what is changed inside of a value is saved; what was saved is sealed', async () => {
      let kept: ReturnType<typeof session> | undefined
      const { browser } = wrapped((request) => {
        kept = session(request)
        const cart = kept.get<string[]>('cart')
        if (cart) cart.push('milk')
        else kept.set('cart', ['tea'])
        return new Response(JSON.stringify(kept.get('cart')))
      })
      await browser.get('/')
      await browser.get('/')
      expect((await browser.get('/')).text).toBe('["tea","milk","milk"]')
      expect(() => kept?.set('late', 1)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    })

    test('a save that is refused is the answer, in the place of one that would not be true', async () => {
      const options = { policy: 'reject', maxBytes: 2_000 }
      const { browser, sessions } = wrapped(async (request) => {
        const own = session(request)
        const path = new URL(request.url).pathname
        if (path === '/large') own.set('large', 'x'.repeat(3_000))
        if (path === '/none') own.set('none', () => {})
        if (path === '/bigint') own.set('big', 1n)
        own.set('n', (own.get<number>('n') ?? 0) + 1)
        if (path === '/meet') {
          const elsewhere = new Browser(again)
          for (const [name, value] of browser.cookies) elsewhere.cookies.set(name, value)
          await elsewhere.get('/')
        }
        return new Response(String(own.get('n')))
      }, options)
      const again = sessions.wrap((request) => {
        const own = session(request)
        own.set('n', (own.get<number>('n') ?? 0) + 1)
        return new Response('')
      })
      await browser.get('/')
      const conflict = await browser.get('/meet')
      expect([conflict.status, JSON.parse(conflict.text).code]).toEqual([409, 'SESSION_CONFLICT'])
      const large = await browser.get('/large')
      expect([large.status, JSON.parse(large.text).code]).toEqual([413, 'SESSION_TOO_LARGE'])
      expect((await browser.get('/bigint')).status).toBe(400)
      // A function has no JSON: it is absent, as everywhere.
      expect((await browser.get('/none')).text).toBe('3')
    })

    test('a handler that throws saves nothing, and gives the lock back', async () => {
      const { browser } = wrapped(
        (request) => {
          const own = session(request)
          own.set('n', (own.get<number>('n') ?? 0) + 1)
          if (request.url.endsWith('/throw')) throw new Error('of the app')
          return new Response(String(own.get('n')))
        },
        { policy: 'lock', lock: { leaseMs: 60_000, waitMs: 1_000 } },
      )
      await browser.get('/')
      await expect(browser.get('/throw')).rejects.toThrow('of the app')
      expect((await browser.get('/')).text).toBe('2')
    })

    test('without fetchSessions around it, it says what to do; bad options are refused', () => {
      const { space } = opened()
      expect(() => session(new Request('http://app.example/'))).toThrow(/fetchSessions/)
      const bad = [
        { secret: '' },
        { secret: [] },
        { secret: 'too short' },
        { secret: SECRET, cookie: { name: 'a b' } },
        { secret: SECRET, cookie: { name: '__Host-a', path: '/app' } },
        { secret: SECRET, cookie: { name: '__Host-a', domain: 'example.org' } },
        { secret: SECRET, cookie: { sameSite: 'none' } },
        { secret: SECRET, cookie: { maxAgeMs: 1 } },
      ]
      for (const options of bad) {
        expect(() => fetchSessions({ space, ...options } as never)).toThrow(
          expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
        )
      }
    })
  })
})
