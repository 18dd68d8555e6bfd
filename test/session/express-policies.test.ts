/** express-session over the space, by policy (merge, reject, lock), and what a store does for all sessions of a user. */
import { describe, expect, test } from '@jest/globals'
import type express from 'express'
import type { Express } from 'express'
import { everyEngine } from '../support/every-engine.js'
import { until } from '../support/until.js'
import { type Bag, bag, cookie, routes, servers, storeOf } from './express-app.js'
import { Browser } from './serving.js'

everyEngine('express-session: policies', (opened) => {
  const served = servers(opened)

  describe('by policy', () => {
    /** Two requests of one session that both change `n`, the second while the first is under way. */
    async function twoAtOnce(policy: string): Promise<{ first: unknown; second: unknown; n: unknown }> {
      const { space, other } = opened()
      const gates = new Map<string, () => void>()
      const entered = new Map<string, () => void>()
      const app = (express: Express): void => {
        routes(express)
        express.get('/add/:who', (req, res, next) => {
          const before = Number(bag(req).n ?? 0)
          entered.get(req.params.who)?.()
          void new Promise<void>((resolve) => void gates.set(req.params.who, resolve)).then(() => {
            bag(req).n = before + 1
            req.session.save((error) => (error ? next(error) : res.send('saved')))
          })
        })
        express.use(
          ((error, _req, res, _next) => void res.status(error.status).send(error.code)) as express.ErrorRequestHandler,
        )
      }
      const [one, two] = [
        await served(storeOf(space, { policy }), app),
        await served(storeOf(other, { policy, lock: { waitMs: 5_000 } }), app),
      ]
      const browser = new Browser(one)
      await browser.get('/set/n/0')
      const elsewhere = new Browser(two)
      for (const [name, value] of browser.cookies) elsewhere.cookies.set(name, value)
      const isIn = (who: string) => new Promise<void>((resolve) => void entered.set(who, resolve))
      const waits = [isIn('a'), isIn('b')]
      const first = browser.get('/add/a')
      await waits[0]
      const second = elsewhere.get('/add/b')
      if (policy !== 'lock') await waits[1]
      await until(() => gates.has('a'), 'the first to be there')
      gates.get('a')?.()
      const answers = [await first]
      await waits[1]
      await until(() => gates.has('b'), 'the second to be there')
      gates.get('b')?.()
      answers.push(await second)
      const { n } = JSON.parse((await browser.get('/get')).text)
      return { first: answers[0]?.text, second: answers[1]?.text, n }
    }

    test('merge: the last one has it', async () => {
      expect(await twoAtOnce('merge')).toEqual({ first: 'saved', second: 'saved', n: 1 })
    })

    test('reject: the second one fails with a typed error, and nothing of it is saved', async () => {
      expect(await twoAtOnce('reject')).toEqual({ first: 'saved', second: 'SESSION_CONFLICT', n: 1 })
    })

    test('lock: the second one waits for the first', async () => {
      expect(await twoAtOnce('lock')).toEqual({ first: 'saved', second: 'saved', n: 2 })
    })

    test('lock: reload within the request does not wait for itself, and a client that goes gives it back', async () => {
      const { space } = opened()
      const store = storeOf(space, { policy: 'lock', lock: { waitMs: 3_000, leaseMs: 60_000 } })
      let entered = (): void => {}
      const isIn = new Promise<void>((resolve) => {
        entered = resolve
      })
      const url = await served(store, (app) => {
        routes(app)
        app.get('/reload', (req, res, next) =>
          req.session.reload((error) => (error ? next(error) : res.json(req.session))),
        )
        app.get('/never', () => entered())
      })
      const browser = new Browser(url)
      await browser.get('/set/a/1')
      expect(JSON.parse((await browser.get('/reload')).text)).toMatchObject({ a: '1' })
      const leaving = new AbortController()
      const left = browser.get('/never', { signal: leaving.signal }).catch(() => 'left')
      await isIn
      leaving.abort()
      expect(await left).toBe('left')
      expect((await browser.get('/count')).text).toBe('1')
    })

    test('lock: who waits too long is answered 503', async () => {
      const { space } = opened()
      const store = storeOf(space, { policy: 'lock', lock: { waitMs: 100, leaseMs: 60_000 } })
      const url = await served(store, routes)
      const browser = new Browser(url)
      const id = (await browser.get('/set/a/1')).text
      await store.get(id)
      expect((await browser.get('/count')).status).toBe(503)
    })
  })

  describe('housekeeping', () => {
    test('logs a user out everywhere, or everywhere else', async () => {
      const { space, other } = opened()
      const userOf = (session: { user?: string }) => session.user
      const store = storeOf(space, { userOf })
      const url = await served(store, routes)
      const browsers = [new Browser(url), new Browser(url), new Browser(url), new Browser(url)]
      const ids: string[] = []
      for (const [i, browser] of browsers.entries())
        ids.push((await browser.get(`/login/${i < 3 ? 'ann' : 'bob'}`)).text)
      expect(await storeOf(other).count('ann')).toBe(3)
      expect(await storeOf(other).destroyAll('ann', { except: ids[0]! })).toBe(2)
      const users = await Promise.all(
        browsers.map(async (browser) => JSON.parse((await browser.get('/get')).text).user),
      )
      expect(users).toEqual(['ann', undefined, undefined, 'bob'])
      expect(await storeOf(other).destroyAll('ann')).toBe(1)
      expect(await store.count('ann')).toBe(0)
      expect(await store.length()).toBe(1)
    })

    test('tells of each end, by a name that is not the id', async () => {
      const { space, other } = opened()
      const userOf = (session: { user?: string }) => session.user
      const told: unknown[] = []
      const anns: unknown[] = []
      const registration = await storeOf(other).notify((ended) => void told.push(ended))
      await storeOf(other).notify(({ id }) => void anns.push(id), { user: 'ann' })
      const store = storeOf(space, { userOf })
      await store.set('one', { cookie: cookie(60_000), user: 'ann' })
      await store.set('two', { cookie: cookie(200) })
      await store.destroy('one')
      await until(() => told.length === 2, 'both to be told')
      expect(told).toEqual([
        { id: store.idOf('one'), user: 'ann', reason: 'destroyed' },
        { id: store.idOf('two'), user: undefined, reason: 'expired' },
      ])
      expect(anns).toEqual([store.idOf('one')])
      expect(store.idOf('one')).not.toContain('one')
      await registration.cancel()
    })

    test('a session that would be too large is refused with a clear error, and stays as it was', async () => {
      const { space } = opened()
      const store = storeOf(space, { maxBytes: 1_000 })
      await store.set('sid', { cookie: cookie(), a: 1 })
      const session = (await store.get('sid')) as unknown as Bag
      session.big = 'x'.repeat(2_000)
      await expect(store.set('sid', session as never)).rejects.toMatchObject({ code: 'SESSION_TOO_LARGE', status: 413 })
      expect(await store.get('sid')).toEqual({ cookie: { originalMaxAge: null }, a: 1 })
    })
  })
})
