/** A gateway on a free port over a memory space, with one function as its worker; and the two ways to speak to it. */
import { Agent, type IncomingMessage, type RequestOptions, request, STATUS_CODES } from 'node:http'
import { connect, type Socket } from 'node:net'
import { createGateway, type Gateway, type GatewayOptions } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import { type HeldRequest, type HttpRequest, type HttpResponse, serveRequests } from '../../src/request.js'
import type { Space } from '../../src/space.js'

export type Work = (request: HttpRequest, taken: HeldRequest) => Partial<HttpResponse> | Promise<Partial<HttpResponse>>

export interface Served extends AsyncDisposable {
  readonly space: Space
  readonly gateway: Gateway
  readonly port: number
  /** What workers were given, oldest first. */
  readonly seen: HttpRequest[]
}

/** `work: null` = nobody takes anything. */
export async function serving(
  work: Work | null,
  options: Partial<GatewayOptions> = {},
  service = 'web',
): Promise<Served> {
  const space = options.space ?? (await openSpace('memory:'))
  const seen: HttpRequest[] = []
  if (work) {
    await serveRequests(space, service, 16, async (taken) => {
      seen.push(taken.request)
      const response = await work(taken.request, taken)
      const reason = STATUS_CODES[response.status ?? 200] ?? ''
      await taken.complete({ status: 200, reason, headers: [], body: Buffer.alloc(0), ...response })
    })
  }
  const gateway = createGateway({ port: 0, ...options, space })
  await gateway.start()
  const port = Number(new URL(gateway.url).port)
  return { space, gateway, port, seen, [Symbol.asyncDispose]: () => space.close() }
}

export interface Answer {
  readonly status: number
  readonly reason: string
  readonly headers: IncomingMessage['headers']
  readonly raw: string[]
  readonly body: Buffer
  readonly text: string
}

/** One request by node:http, on a connection of its own. */
export function ask(port: number, options: RequestOptions & { body?: Buffer | string } = {}): Promise<Answer> {
  const { body, ...rest } = options
  return new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, agent: new Agent(), ...rest }, async (res) => {
      const chunks: Buffer[] = []
      for await (const chunk of res) chunks.push(chunk as Buffer)
      const whole = Buffer.concat(chunks)
      resolve({
        status: res.statusCode as number,
        reason: res.statusMessage as string,
        headers: res.headers,
        raw: res.rawHeaders,
        body: whole,
        text: whole.toString(),
      })
    })
    req.on('error', reject)
    req.end(body)
  })
}

export interface Wire {
  readonly socket: Socket
  send(bytes: string | Buffer): void
  /** Everything received, once `until` holds for it or the other end has closed. */
  receive(until?: (text: string) => boolean): Promise<string>
}

/** A bare connection: what is sent is what was written, byte for byte. */
export async function wire(port: number): Promise<Wire> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  let text = ''
  let ended = false
  let check = (): void => {}
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    text += chunk
    check()
  })
  const onEnd = (): void => {
    ended = true
    socket.end()
    check()
  }
  socket.on('end', onEnd).on('close', onEnd).on('error', onEnd)
  return {
    socket,
    send: (bytes) => void socket.write(bytes),
    receive: (until = () => false) =>
      new Promise((resolve) => {
        check = () => {
          if (ended || until(text)) resolve(text)
        }
        check()
      }),
  }
}

/** Sends bytes and returns all that comes back until the gateway closes. */
export async function exchangeBytes(port: number, bytes: string): Promise<string> {
  const line = await wire(port)
  line.send(bytes)
  const text = await line.receive()
  line.socket.destroy()
  return text
}

export const statusOf = (text: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1])

/** A promise to be settled from outside. */
export function signal<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((r) => {
    resolve = r
  })
  return { promise, resolve }
}
