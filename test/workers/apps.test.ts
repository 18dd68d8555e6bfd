/** Which shape of app is which, and what is said about those that are none. */
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { describe, expect, test } from '@jest/globals'
import connect from 'connect'
import express from 'express'
import Fastify from 'fastify'
import Koa from 'koa'
import type { HttpRequest, HttpResponse } from '../../src/request.js'
import { handlerOf, readyOf } from '../../workers/apps/index.js'
import { contextOf, requestOf } from './turns.js'

const ask = async (app: unknown, request: Partial<HttpRequest> = {}, turn = contextOf()): Promise<HttpResponse> =>
  turn.gathered(await handlerOf(app)(requestOf(request), turn))

type Req = { url: string }
type Res = { end(text: string): void }

const hello = (ctx: Koa.Context): void => {
  ctx.body = 'hello'
}

describe('an app is told by what it has', () => {
  const apps: Record<string, unknown> = {
    'an Express app': express().get('/', (_req, res) => void res.send('hello')),
    'a function of two parameters': (_req: unknown, res: Res) => res.end('hello'),
    'a function of one parameter, which is (req, res) all the same': (...args: unknown[]) =>
      (args[1] as Res).end('hello'),
    'an http.Server': createServer((_req, res) => res.end('hello')),
    '{ fetch }': { fetch: () => new Response('hello') },
    'a function that carries fetch': Object.assign(() => {}, { fetch: () => new Response('hello') }),
    'a class instance whose fetch needs its this': new (class {
      text = 'hello'
      fetch() {
        return new Response(this.text)
      }
    })(),
    'a Fastify app, which is a promise of itself, too': Fastify().get('/', async () => 'hello'),
    'a connect app': connect().use((_req: unknown, res: Res) => res.end('hello')),
    'an app that has all that a framework may have, but is Koa': Object.assign(new Koa().use(hello), { handle() {} }),
    'a function that looks like one of fetch, which is (req, res) all the same': (...[request, res]: [Req, Res]) =>
      res.end(request.url === '/' ? 'hello' : 'no'),
    'a Koa-shaped app': { callback: () => (_req: unknown, res: Res) => res.end('hello'), middleware: [] },
  }
  for (const [name, app] of Object.entries(apps)) {
    test(name, async () => {
      await readyOf(app)
      expect((await ask(app)).body.toString()).toBe('hello')
    })
  }

  const fn = (): void => {}
  const server = createServer()
  /** By the members that the real ones have; what is advised was tried with the real ones. */
  const none: Record<string, [unknown, string]> = {
    undefined: [undefined, 'It is undefined'],
    null: [null, 'It is null'],
    'a text': ['app', 'It is a string'],
    'a class': [class App {}, 'Export an instance'],
    'a list of apps': [[fn], 'It is an array'],
    'a promise of an app': [Promise.resolve(express()), 'export default await'],
    'a module': [{ default: fn }, 'its default export'],
    'a polka app': [{ handler: fn, listen: fn, use: fn, find: fn }, 'export default app.handler'],
    'a restify server': [{ pre: fn, use: fn, acceptable: [], server }, 'export default server.server'],
    'a hapi server': [{ initialize: fn, inject: fn, listener: server }, 'export default server.listener'],
    'an h3 app of version 1': [{ handler: fn, use: fn, resolve: fn, stack: [] }, 'toNodeListener(app)'],
    'a Nest app': [{ init: fn, getHttpAdapter: fn }, 'await app.init(); export default app.getHttpServer()'],
    'a Next.js app': [{ prepare: fn, getRequestHandler: fn }, 'app.getUpgradeHandler()'],
    'an https.Server': [createSecureServer(), 'TLS ends at the gateway'],
    'what holds a server': [{ web: server }, 'export default app.web'],
    'what holds a handler': [{ handle: fn }, 'app.handle(req, res)'],
    'an object': [{ one: 1, two: 2 }, 'with one, two. Export the app itself'],
    'an empty object': [{}, 'with nothing in it'],
  }
  for (const [name, [app, says]] of Object.entries(none)) {
    test(`${name} is none`, () => {
      const unknown = { code: 'APP_SHAPE_UNKNOWN', message: expect.stringContaining(says) }
      expect(() => handlerOf(app)).toThrow(expect.objectContaining(unknown))
    })
  }

  test('an http.Server that nobody listens to fails, it does not hang', async () => {
    await expect(ask(createServer())).rejects.toMatchObject({ code: 'APP_SHAPE_UNKNOWN' })
  })
})

describe('a { fetch } app', () => {
  const urlOf = async (request: Partial<HttpRequest>): Promise<string> =>
    (await ask({ fetch: (r: Request) => new Response(r.url) }, request)).body.toString()

  test('gets the URL that the client asked for', async () => {
    expect(await urlOf({ target: '/a?b=c#d' })).toBe('http://example.org/a?b=c#d')
    expect(await urlOf({ target: '//other.example/a' })).toBe('http://example.org//other.example/a')
    expect(await urlOf({ target: 'http://abs.example/a' })).toBe('http://abs.example/a')
    expect(await urlOf({ target: '*', method: 'OPTIONS' })).toBe('http://example.org/')
    expect(await urlOf({ headers: ['host', '[::1]:80'], secure: true })).toBe('https://[::1]:80/')
    expect(await urlOf({ headers: [] })).toBe('http://localhost/')
  })

  test('is not asked when the host is not one, or fetch cannot carry the method', async () => {
    for (const host of ['user@x', 'a/b', 'a b', 'x?', 'x#', '', 'x:99999', '\\']) {
      expect((await ask({ fetch: () => new Response('ran') }, { headers: ['Host', host] })).status).toBe(400)
    }
    expect((await ask({ fetch: () => new Response('ran') }, { method: 'TRACE' })).status).toBe(501)
  })

  test('that returns no Response, or fails, is a failure', async () => {
    for (const value of [undefined, null, 'text', {}, { status: 200 }]) {
      await expect(ask({ fetch: () => value })).rejects.toMatchObject({ code: 'BAD_RESPONSE' })
    }
    const boom = () => {
      throw new Error('boom')
    }
    await expect(ask({ fetch: boom })).rejects.toThrow('boom')
    await expect(ask({ fetch: async () => boom() })).rejects.toThrow('boom')
  })

  /** A body that tells what became of it. */
  function watchedBody() {
    const events: string[] = []
    const stream = new ReadableStream({
      pull(controller) {
        events.push('pulled')
        controller.enqueue(new TextEncoder().encode('x'))
      },
      cancel() {
        events.push('cancelled')
      },
    })
    return { stream, events }
  }

  test('that makes its Response only when asked for the body (h3) has the Content-Type of that', async () => {
    let made: Response | undefined
    const lazy = {
      status: 200,
      statusText: '',
      get headers() {
        return made?.headers ?? new Headers()
      },
      get body() {
        made ??= new Response('text')
        return made.body
      },
    }
    const { headers, reason } = await ask({ fetch: () => lazy })
    expect([headers, reason]).toEqual([['content-type', 'text/plain;charset=UTF-8'], 'OK'])
  })

  test('has its body cancelled where HTTP has none', async () => {
    const { stream, events } = watchedBody()
    const response = await ask({ fetch: () => new Response(stream) }, { method: 'HEAD' })
    expect(response.body.length).toBe(0)
    expect(events.at(-1)).toBe('cancelled')
  })

  test('has its body cancelled when the turn is cut, while it is read and before', async () => {
    const turn = contextOf()
    const during = watchedBody()
    const asked = ask({ fetch: () => new Response(during.stream) }, {}, turn)
    while (during.events.length < 5) await new Promise(setImmediate)
    turn.cut()
    await asked
    expect(during.events.at(-1)).toBe('cancelled')

    const before = watchedBody()
    await ask({ fetch: () => new Response(before.stream) }, {}, turn)
    expect(before.events.at(-1)).toBe('cancelled')
  })

  test('fails when its body does', async () => {
    const stream = new ReadableStream({
      pull(controller) {
        controller.error(new Error('boom'))
      },
    })
    await expect(ask({ fetch: () => new Response(stream) })).rejects.toThrow('boom')
  })

  test('hears of the cut by the signal of its request', async () => {
    const turn = contextOf()
    let signal: AbortSignal | undefined
    const asked = ask(
      {
        fetch: (request: Request) => {
          signal = request.signal
          turn.cut()
          return new Response('late')
        },
      },
      {},
      turn,
    )
    await asked
    expect(signal?.aborted).toBe(true)
  })
})
