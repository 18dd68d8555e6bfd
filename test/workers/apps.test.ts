/** Which shape of app is which, and what is said about those that are none. */
import { createServer } from 'node:http'
import { describe, expect, test } from '@jest/globals'
import express from 'express'
import type { HttpRequest, HttpResponse } from '../../src/request.js'
import { handlerOf } from '../../workers/apps/index.js'
import { contextOf, requestOf } from './turns.js'

const ask = (app: unknown, request: Partial<HttpRequest> = {}, turn = contextOf()): Promise<HttpResponse> =>
  handlerOf(app)(requestOf(request), turn)

type Res = { end(text: string): void }

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
    'a Koa app': { callback: () => (_req: unknown, res: Res) => res.end('hello'), middleware: [] },
  }
  for (const [name, app] of Object.entries(apps)) {
    test(name, async () => expect((await ask(app)).body.toString()).toBe('hello'))
  }

  const none: Record<string, [unknown, string]> = {
    undefined: [undefined, 'undefined'],
    null: [null, 'null'],
    'a text': ['app', 'a string'],
    'an object': [{ handler() {}, listen() {} }, 'handler, listen'],
    'a promise of an app': [Promise.resolve(express()), 'await'],
    'a Fastify app, for now': [{ routing() {}, ready() {}, inject() {}, server: createServer() }, 'Fastify'],
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
