/**
 * What express-session's README asks of a store, and what it does with one: the real express-session, in an app of the real express, over
 * SpaceSessionStore in memory and on Redis.
 */
import { describe, expect, test } from '@jest/globals'
import type { Express } from 'express'
import { Store } from 'express-session'
import { SpaceSessionStore } from '../../src/session/index.js'
import { everyEngine } from '../support/every-engine.js'
import { startProcess } from '../support/process.js'
import { until } from '../support/until.js'
import { type Bag, bag, cookie, routes, servers, storeOf } from './express-app.js'
import { Browser } from './serving.js'

const THROWER = `
  import { openSpace } from 'takespace'
  import { SpaceSessionStore } from 'takespace/session'
  const space = await openSpace('memory:')
  process.on('uncaughtException', (error) => console.log('uncaught:', error.message))
  new SpaceSessionStore({ space }).get('sid', (error) => {
    console.log('called with', error)
    throw new Error('of the app')
  })`

everyEngine('express-session', (opened) => {
  const served = servers(opened)

  describe('a store', () => {
    test('is an EventEmitter, and has all methods: required, recommended and optional', () => {
      const store = storeOf(opened().space)
      expect(typeof store.on).toBe('function')
      for (const method of ['get', 'set', 'destroy', 'touch', 'all', 'length', 'clear'] as const) {
        expect(typeof store[method]).toBe('function')
      }
      for (const method of Object.getOwnPropertyNames(Store.prototype)) expect(store).toHaveProperty(method)
    })

    test('get gives what was set, to any process; null and no error if there is nothing', async () => {
      const { space, other } = opened()
      const session = { cookie: cookie(60_000), user: 'ann', cart: [{ id: 1, at: new Date(0) }], nothing: null }
      const called = await new Promise<unknown[]>((resolve) => {
        void storeOf(space).set('sid', session, (...args) => resolve(args))
      })
      expect(called).toEqual([null, undefined])
      const found = await new Promise<unknown[]>(
        (resolve) => void storeOf(other).get('sid', (...args) => resolve(args)),
      )
      expect(found).toEqual([
        null,
        {
          user: 'ann',
          cart: [{ id: 1, at: '1970-01-01T00:00:00.000Z' }],
          nothing: null,
          cookie: expect.objectContaining({ originalMaxAge: 60_000 }),
        },
      ])
      const missing = await new Promise<unknown[]>(
        (resolve) => void storeOf(other).get('none', (...args) => resolve(args)),
      )
      expect(missing).toEqual([null, null])
    })

    test('set is an upsert: a session that was not loaded takes the place of what was there', async () => {
      const store = storeOf(opened().space)
      await store.set('sid', { cookie: cookie(), a: 1, b: 2 })
      await store.set('sid', { cookie: cookie(), c: 3 })
      expect(await store.get('sid')).toEqual({ cookie: { originalMaxAge: null }, c: 3 })
      expect(await store.length()).toBe(1)
    })

    test('destroy, clear, length and all do what they say, and call back', async () => {
      const { space, other } = opened()
      const [store, far] = [storeOf(space), storeOf(other)]
      for (const name of ['a', 'b', 'c']) await store.set(name, { cookie: cookie(), name })
      expect(await new Promise((resolve) => void far.length((_, n) => resolve(n)))).toBe(3)
      expect(await new Promise((resolve) => void far.destroy('a', resolve))).toBeNull()
      expect(await store.get('a')).toBeNull()
      const all = await new Promise<Bag[]>((resolve) => void far.all((_, list) => resolve(list as unknown as Bag[])))
      expect(all.map(({ name }) => name).sort()).toEqual(['b', 'c'])
      expect(await new Promise((resolve) => void far.clear(resolve))).toBeNull()
      expect(await store.length()).toBe(0)
      expect(await store.all()).toEqual([])
    })

    test('what a callback throws is not taken for a failure of the store', async () => {
      const thrower = startProcess([process.execPath, '--input-type=module', '--eval', THROWER])
      expect(await thrower.exited).toEqual({ code: 0, signal: null })
      expect(thrower.output()).toBe('called with null\nuncaught: of the app\n')
    })

    test('touch renews the lease by the cookie, changes nothing, and never revives', async () => {
      const { space, other } = opened()
      const [store, far] = [storeOf(space), storeOf(other)]
      await store.set('sid', { cookie: cookie(500), n: 1 })
      await far.touch('sid', { cookie: cookie(60_000), n: 99 })
      const end = performance.now() + 550
      await until(() => performance.now() > end, 'its first lease to be over')
      const found = (await store.get('sid')) as unknown as Bag
      expect(found.n).toBe(1)
      expect(new Date(found.cookie.expires as Date).getTime()).toBeGreaterThan(Date.now() + 50_000)
      await far.destroy('sid')
      expect(await new Promise((resolve) => void store.touch('sid', { cookie: cookie(60_000) }, resolve))).toBeNull()
      expect(await store.get('sid')).toBeNull()
    })

    test('how long a session stays is its maxAge; one whose cookie has none stays for ttlMs', async () => {
      const { space, other } = opened()
      await storeOf(space).set('short', { cookie: cookie(300) })
      await storeOf(space, { ttlMs: 300 }).set('default', { cookie: cookie() })
      await storeOf(space).set('over', { cookie: { originalMaxAge: 1, expires: new Date(Date.now() - 1) } })
      expect(await storeOf(other).get('over')).toBeNull()
      expect(await storeOf(other).length()).toBe(2)
      await until(async () => (await storeOf(other).length()) === 0, 'both to end')
      expect(await storeOf(other).get('short')).toBeNull()
      expect(await storeOf(other).get('default')).toBeNull()
    })
  })

  describe('with the real middleware', () => {
    test('any process serves any session, from the first request on', async () => {
      const { space, other } = opened()
      const [one, two] = [await served(storeOf(space), routes), await served(storeOf(other), routes)]
      const browser = new Browser(one)
      await browser.get('/set/user/ann')
      const elsewhere = new Browser(two)
      for (const [name, value] of browser.cookies) elsewhere.cookies.set(name, value)
      for (let i = 1; i <= 10; i++) expect((await (i % 2 ? elsewhere : browser).get('/count')).text).toBe(String(i))
      expect(JSON.parse((await elsewhere.get('/get')).text)).toMatchObject({ user: 'ann', n: 10 })
    })

    test('two requests at once that change different attributes both count', async () => {
      const { space, other } = opened()
      const hold = (app: Express): void => {
        routes(app)
        app.get('/slow/:name', (req, res) => {
          bag(req)[req.params.name] = 'slow'
          void go.then(() => res.send('done'))
        })
      }
      let release = (): void => {}
      const go = new Promise<void>((resolve) => {
        release = resolve
      })
      const [one, two] = [await served(storeOf(space), hold), await served(storeOf(other), hold)]
      const browser = new Browser(one)
      await browser.get('/set/a/1')
      const elsewhere = new Browser(two)
      for (const [name, value] of browser.cookies) elsewhere.cookies.set(name, value)
      const slow = browser.get('/slow/b')
      await elsewhere.get('/set/c/2')
      release()
      await slow
      expect(JSON.parse((await elsewhere.get('/get')).text)).toMatchObject({ a: '1', b: 'slow', c: '2' })
    })

    test('a request that changes nothing moves no attribute, and renews the lease', async () => {
      const { space } = opened()
      const store = storeOf(space)
      const saves: unknown[] = []
      const { save } = space.engine.sessions
      space.engine.sessions.save = (id, change) => {
        saves.push([...change.set.map(([name]) => name), ...change.removed])
        return save.call(space.engine.sessions, id, change)
      }
      const url = await served(store, routes, { cookie: { maxAge: 60_000 } })
      const browser = new Browser(url)
      await browser.get('/set/a/1')
      expect(saves).toEqual([['a', 'cookie']])
      await browser.get('/get')
      await browser.get('/set/a/1')
      expect(saves).toEqual([['a', 'cookie']])
      await browser.get('/set/a/2')
      await browser.get('/set/b/2')
      expect(saves.slice(1)).toEqual([['a'], ['b']])
    })

    test('save, reload and a second save within one request are differences', async () => {
      const { space, other } = opened()
      const store = storeOf(space)
      const url = await served(store, (app) => {
        routes(app)
        app.get('/twice', (req, res, next) => {
          bag(req).x = 1
          req.session.save(async (error) => {
            if (error) return next(error)
            const elsewhere = (await storeOf(other).get(req.sessionID)) as unknown as Bag
            expect(elsewhere.x).toBe(1)
            // Another request changes something meanwhile.
            await storeOf(other).set(req.sessionID, Object.assign(elsewhere as never, { y: 2 }))
            bag(req).z = 3
            req.session.save(() => req.session.reload(() => res.json(req.session)))
          })
        })
      })
      const browser = new Browser(url)
      await browser.get('/set/a/1')
      expect(JSON.parse((await browser.get('/twice')).text)).toMatchObject({ a: '1', x: 1, y: 2, z: 3 })
    })

    test('the id is a new one at login, and the old one is dead', async () => {
      const url = await served(storeOf(opened().space), routes)
      const browser = new Browser(url)
      const before = (await browser.get('/set/cart/tea')).text
      const stolen = new Browser(url)
      for (const [name, value] of browser.cookies) stolen.cookies.set(name, value)
      const after = (await browser.get('/login/ann')).text
      expect(after).not.toBe(before)
      expect(JSON.parse((await browser.get('/get')).text)).toMatchObject({ user: 'ann' })
      expect(JSON.parse((await stolen.get('/get')).text)).not.toHaveProperty('user')
      expect((await stolen.get('/id')).text).not.toBe(before)
    })

    test('an id that the space does not know is not adopted, though its signature is good', async () => {
      const url = await served(storeOf(opened().space), routes)
      const other = await served(storeOf(opened().other), routes)
      const browser = new Browser(url)
      const id = (await browser.get('/set/a/1')).text
      const kept = [...browser.cookies]
      await browser.get('/logout')
      const again = new Browser(other)
      for (const [name, value] of kept) again.cookies.set(name, value)
      const fresh = (await again.get('/set/a/2')).text
      expect(fresh).not.toBe(id)
      expect(fresh.length).toBeGreaterThanOrEqual(22)
      // And one that is not signed by us is not even looked for.
      const forged = new Browser(url)
      forged.cookies.set('connect.sid', encodeURIComponent(`s:${fresh}.AAAA`))
      expect((await forged.get('/id')).text).not.toBe(fresh)
    })

    test('who logs out is logged out, also by requests that were under way', async () => {
      const { space } = opened()
      let release = (): void => {}
      const go = new Promise<void>((resolve) => {
        release = resolve
      })
      const store = storeOf(space)
      let entered = (): void => {}
      const isIn = new Promise<void>((resolve) => {
        entered = resolve
      })
      const url = await served(store, (app) => {
        routes(app)
        app.get('/slow', (req, res) => {
          bag(req).late = true
          entered()
          void go.then(() => res.send('done'))
        })
      })
      const browser = new Browser(url)
      await browser.get('/login/ann')
      const cookies = [...browser.cookies]
      const slow = browser.get('/slow')
      await isIn
      expect((await browser.get('/logout')).text).toBe('gone')
      release()
      expect((await slow).status).toBe(200)
      expect(await store.length()).toBe(0)
      const again = new Browser(url)
      for (const [name, value] of cookies) again.cookies.set(name, value)
      expect(JSON.parse((await again.get('/get')).text)).not.toHaveProperty('user')
    })

    test('the expiry of the cookie and that of the session are one: rolling renews both', async () => {
      const { space, other } = opened()
      const store = storeOf(space)
      const url = await served(store, routes, { cookie: { maxAge: 1_000 }, rolling: true })
      const browser = new Browser(url)
      await browser.get('/set/a/1')
      const end = performance.now() + 1_600
      let last = ''
      while (performance.now() < end) {
        const { setCookie, text } = await browser.get('/count')
        expect(setCookie[0]).toMatch(/Expires=/)
        last = text
        const next = performance.now() + 100
        await until(() => performance.now() > next, 'a moment')
      }
      expect(Number(last)).toBeGreaterThan(5)
      await until(async () => (await storeOf(other).length()) === 0, 'its end')
      expect((await browser.get('/count')).text).toBe('1')
    })

    test('unset: destroy ends it; a maxAge that the app changes is kept', async () => {
      const { space } = opened()
      const store = storeOf(space)
      const url = await served(
        store,
        (app) => {
          routes(app)
          app.get('/remember', (req, res) => {
            req.session.cookie.maxAge = 600_000
            bag(req).remembered = true
            res.send('ok')
          })
          app.get('/unset', (req, res) => {
            ;(req as { session?: unknown }).session = null
            res.send('ok')
          })
        },
        { unset: 'destroy', cookie: { maxAge: 60_000 } },
      )
      const browser = new Browser(url)
      await browser.get('/set/a/1')
      await browser.get('/remember')
      const { cookie: kept } = JSON.parse((await browser.get('/get')).text)
      expect(kept.originalMaxAge).toBeGreaterThan(599_000)
      expect(new Date(kept.expires).getTime()).toBeGreaterThan(Date.now() + 590_000)
      await browser.get('/unset')
      expect(await store.length()).toBe(0)
    })
  })

  test('bad options are refused with a clear error', () => {
    const { space } = opened()
    for (const options of [
      { space: {} },
      { space, policy: 'best' },
      { space, lock: { leaseMs: 0 } },
      { space, maxBytes: Number.NaN },
      { space, userOf: 'user' },
    ]) {
      expect(() => new SpaceSessionStore(options as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      )
    }
  })
})
