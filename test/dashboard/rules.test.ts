/** The rules of the dashboard, each over the whole table of routes: a new route cannot forget one. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createDashboard, type DashboardOptions } from '../../src/dashboard/index.js'
import { ALL_RIGHTS } from '../../src/dashboard/rights.js'
import { type DashboardRoute, ROUTES } from '../../src/dashboard/routes.js'
import { defineEntry } from '../../src/index.js'
import { openSpace } from '../../src/open.js'
import { freeEntries } from '../../src/space/listing.js'
import type { Space } from '../../src/space.js'
import { ask, HOST } from './asked.js'

let space: Space
beforeEach(async () => {
  space = await openSpace('memory:')
})
afterEach(() => space.close())

const made = (options: Partial<DashboardOptions> = {}) => createDashboard({ space, ...options })

const pathOf = ({ path }: DashboardRoute): string => path.replace(/:\w+/g, 'some')
const named = (routes: readonly DashboardRoute[]) =>
  routes.map((route) => [`${route.method} ${route.path}`, route] as const)
const reads = named(ROUTES.filter(({ method }) => method === 'GET'))
const acts = named(ROUTES.filter(({ method }) => method === 'POST'))

test('every route has a sentence, and every right has a route', () => {
  expect(ROUTES.filter(({ does }) => does === '')).toEqual([])
  expect(ALL_RIGHTS.filter((right) => !ROUTES.some((route) => route.right === right))).toEqual([])
})

describe('a GET changes nothing', () => {
  test.each(reads)('%s', async (_name, route) => {
    const Job = defineEntry<{ id: string }>('Job')
    await space.write(Job({ id: 'j1' }))
    const dashboard = made({ rights: ALL_RIGHTS })
    // The first look of the sampler is over.
    await ask(dashboard, 'state')
    const before = await freeEntries(space)
    const { status } = await ask(dashboard, `${pathOf(route)}?kind=Job`)
    expect([200, 404, 503]).toContain(status)
    expect(await freeEntries(space)).toEqual(before)
    // And it is not an act.
    expect((await ask(dashboard, pathOf(route), { body: {} })).status).toBe(405)
  })
})

describe('an act is refused', () => {
  const refused: [string, Record<string, string | undefined>, number, string][] = [
    ['from another site', { 'sec-fetch-site': 'cross-site' }, 403, 'sec-fetch-site'],
    ['from a sibling site', { 'sec-fetch-site': 'same-site' }, 403, 'sec-fetch-site'],
    ['from another origin', { origin: 'http://evil.example' }, 403, 'origin'],
    ['from another port', { origin: 'http://localhost:1' }, 403, 'origin'],
    ['from a page without an origin', { origin: 'null' }, 403, 'origin'],
    ['without Origin and Sec-Fetch-Site', { origin: undefined, 'sec-fetch-site': undefined }, 403, 'origin'],
    ['as a form', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'content-type'],
    ['as a text', { 'content-type': 'text/plain' }, 415, 'content-type'],
    ['without a type', { 'content-type': undefined }, 415, 'content-type'],
    ['under another name (DNS rebinding)', { host: 'evil.example:9096' }, 421, 'host'],
    ['under no name', { host: undefined }, 421, 'host'],
    ['through a proxy, without users', { 'x-forwarded-for': '203.0.113.9' }, 403, 'loopback'],
  ]
  describe.each(acts)('%s', (_name, route) => {
    test('without its right, which is named', async () => {
      const { status, json } = await ask(made(), pathOf(route), { body: {} })
      if (route.right === 'all') expect(status).not.toBe(403)
      else expect([status, json.rule, json.right]).toEqual([403, 'right', route.right])
    })
    test('by --read-only, whatever the rights', async () => {
      const { status } = await ask(made({ rights: ALL_RIGHTS, readOnly: true }), pathOf(route), { body: {} })
      if (route.right !== 'all') expect(status).toBe(403)
    })
    test.each(refused)('%s', async (_how, headers, status, rule) => {
      const answer = await ask(made({ rights: ALL_RIGHTS }), pathOf(route), { body: {}, headers })
      expect([answer.status, answer.json.rule]).toEqual([status, rule])
    })
    test('with other methods, and as a GET', async () => {
      const dashboard = made({ rights: ALL_RIGHTS })
      for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
        expect((await ask(dashboard, pathOf(route), { method })).status).toBe(405)
      }
      const isRead = ROUTES.some((each) => each.method === 'GET' && pathOf(each) === pathOf(route))
      // Of some acts the path is that of one thing that can be read.
      if (!isRead) expect([404, 405, 503]).toContain((await ask(dashboard, pathOf(route))).status)
    })
    test('with a body that is none of it', async () => {
      const answer = await ask(made({ rights: ALL_RIGHTS }), pathOf(route), { body: [] as object })
      expect(answer.status).toBe(400)
    })
  })

  test('nothing of it is in the space', async () => {
    expect(await freeEntries(space)).toEqual(new Map())
  })
})

describe('who may not reach it', () => {
  test('another machine, without users', async () => {
    const dashboard = made()
    for (const address of ['10.0.0.7', '::ffff:10.0.0.7', '2001:db8::1', '']) {
      expect((await ask(dashboard, 'state', { address })).json.rule).toBe('loopback')
      expect((await ask(dashboard, '/', { address })).status).toBe(403)
    }
    for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
      expect((await ask(dashboard, 'state', { address })).status).toBe(200)
    }
  })
  test('a page under another name', async () => {
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1:9096']) {
      expect((await ask(made(), 'state', { headers: { host } })).status).toBe(421)
    }
    for (const host of ['127.0.0.1:1', '[::1]:9096', 'LOCALHOST']) {
      expect((await ask(made(), 'state', { headers: { host } })).status).toBe(200)
    }
  })
})

test('every response has the headers that keep a page to itself', async () => {
  const dashboard = made()
  for (const path of ['/', '/api/v1/state', '/nothing', '/api/v1/pause']) {
    const { headers } = await ask(dashboard, path)
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; /)
    expect(headers.get('content-security-policy')).not.toMatch(/unsafe/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('access-control-allow-origin')).toBeNull()
  }
  expect((await ask(dashboard, 'state')).headers.get('cache-control')).toBe('no-store')
})

test('its files are served under their names alone', async () => {
  const dashboard = made({ path: '/ops/' })
  expect((await ask(dashboard, '/ops/')).headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect((await ask(dashboard, '/ops')).headers.get('location')).toBe('/ops/')
  for (const path of [
    '/',
    '/opsx',
    '/ops/../package.json',
    '/ops/..%2fpackage.json',
    '/ops/__proto__',
    '/ops/api/v1/x',
  ]) {
    expect((await ask(dashboard, path)).status).toBe(404)
  }
  expect((await ask(dashboard, '/ops/api/v1/me')).json).toMatchObject({ user: 'this machine', rights: [] })
  expect((await ask(dashboard, '/ops/', { method: 'HEAD' })).status).toBe(200)
})

test('options that would open it to others are refused', () => {
  const refused = (options: object, message: RegExp) =>
    expect(() => made(options)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) }),
    )
  refused({ origins: ['https://ops.example.com'] }, /can be reached by others/)
  refused({ origins: ['http://ops.example.com'], resolve: () => null }, /use https/)
  refused({ origins: ['ops.example.com'] }, /origins are like/)
  refused({ resolve: () => null, rights: ['dead'] }, /without users/)
  refused({ rights: ['everything'] }, /rights are of/)
  refused({ path: 'ops' }, /path begins/)
  refused({ users: '/nowhere/users.json' }, /There is no file of users/)
  refused({ right: [] }, /has no option right/)
  made({ origins: ['https://ops.example.com'], resolve: () => null })
})

test('a login of the user decides for each request', async () => {
  const dashboard = made({
    origins: ['https://ops.example.com'],
    resolve: (request) => {
      const name = request.headers.get('x-user')
      return name ? { name, role: name === 'ann' ? 'operator' : 'viewer' } : null
    },
  })
  const as = (name: string | undefined) => ({
    headers: {
      host: 'ops.example.com',
      origin: 'https://ops.example.com',
      'x-user': name,
      'x-forwarded-for': '1.2.3.4',
    },
    address: '10.0.0.2',
    body: { what: 'service', name: 'web' },
  })
  expect((await ask(dashboard, 'pause', as(undefined))).status).toBe(401)
  expect((await ask(dashboard, 'pause', as('bob'))).status).toBe(403)
  expect((await ask(dashboard, 'pause', as('ann'))).status).toBe(200)
  const { json } = await ask(dashboard, 'audit', { ...as('bob'), method: 'GET', body: undefined as never })
  expect(json.acts).toEqual([expect.objectContaining({ by: 'ann', from: '10.0.0.2', act: 'pause', outcome: 'done' })])
  expect(HOST).not.toBe('ops.example.com')
})
