/**
 * Fuzzes the HTTP edge: changed bytes on raw sockets, against a gateway with a worker and against plain Node. The client
 * closes its side behind its bytes, so every connection has to end by itself.
 *
 * A finding is an input after which the connection does not end, or has bytes that are no response; of which a worker ran
 * a request that RFC 9112 or the parser of Node does not admit; or of which a request ran whose answer the client does
 * not have, in order.
 */
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createGateway } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { createWorker } from '../../workers/index.js'
import { randomOf } from '../damage/damage.js'
import { answersIn } from './answers.js'
import { PIECES, SEEDS } from './edge-seeds.js'
import { type Fuzzed, keptFor } from './fuzz.js'
import { mutate } from './mutate.js'
import { type Admissible, admissibleIn } from './rfc9112.js'

export const EDGE = { name: 'edge' }

/** Longer than the gateway lingers on a connection; on a busy machine much longer. */
const ENDS_WITHIN_MS = 20_000
const MOST_CORPUS = 500
const AT_ONCE = 8

interface Run extends Admissible {
  readonly number: number
}

/** The requests that ran, by the port of their client. */
class Runs {
  readonly #of = new Map<number, Run[]>()
  readonly #begun = new Map<number, number>()
  #count = 0

  /** Answers a request once its body is complete. */
  readonly listener: RequestListener = (req, res) => {
    const chunks: Buffer[] = []
    const port = req.socket.remotePort as number
    this.#begun.set(port, this.begun(port) + 1)
    req.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {})
    req.on('end', () => {
      const run = { method: req.method as string, target: req.url as string, number: ++this.#count }
      const runs = this.#of.get(port) ?? []
      runs.push({ ...run, body: Buffer.concat(chunks).toString('latin1') })
      this.#of.set(port, runs)
      res.setHeader('X-Run', run.number)
      res.end('ok')
    })
  }

  /** How many requests began, with or without their bodies. */
  begun(port: number): number {
    return this.#begun.get(port) ?? 0
  }

  of(port: number): readonly Run[] {
    return this.#of.get(port) ?? []
  }

  forget(port: number): void {
    this.#of.delete(port)
    this.#begun.delete(port)
  }
}

export class Edge {
  readonly #space: Space
  readonly #server: Server
  readonly #gatewayPort: number
  readonly #behind: Runs
  readonly #plain: Runs

  private constructor(space: Space, server: Server, gatewayPort: number, behind: Runs, plain: Runs) {
    this.#space = space
    this.#server = server
    this.#gatewayPort = gatewayPort
    this.#behind = behind
    this.#plain = plain
  }

  static async open(): Promise<Edge> {
    const [behind, plain] = [new Runs(), new Runs()]
    const space = await openSpace('memory:')
    const gateway = createGateway({ space, port: 0 })
    await gateway.start()
    await createWorker({ space, app: behind.listener, concurrency: 64 }).start()
    const server = Object.assign(createServer(plain.listener), { httpAllowHalfOpen: true })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new Edge(space, server, Number(new URL(gateway.url).port), behind, plain)
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    await this.#space.close()
  }

  /** Returns what is wrong with the handling of these bytes, which are sent in pieces; undefined if nothing is. */
  async wrongWith(input: Buffer, cuts: readonly number[] = []): Promise<string | undefined> {
    const plain = await exchanged((this.#server.address() as AddressInfo).port, input, cuts)
    const { port, text, ended } = await exchanged(this.#gatewayPort, input, cuts)
    const ran = this.#behind.of(port)
    const byNode = this.#plain.begun(plain.port)
    this.#behind.forget(port)
    this.#plain.forget(plain.port)
    if (!ended) return 'the connection did not end'
    const admissible = admissibleIn(input)
    const foreign = ran.find((run) => !isAmong(admissible, run))
    if (foreign) return `ran ${describe(foreign)}, which RFC 9112 does not admit`
    // Plain Node.js serves nothing behind a request for another protocol, and closes behind one of HTTP/1.0.
    if (ran.length > byNode && !/upgrade|HTTP\/1\.0/i.test(input.toString('latin1')))
      return `ran ${ran.map(describe)}; Node.js alone runs ${byNode}`
    try {
      const answers = answersIn(text, (n) => admissible[n]?.method)
      const heard = answers.flatMap(({ run }) => run ?? [])
      const lost = ran.find(({ number }) => !heard.includes(number))
      if (lost) return `ran ${describe(lost)}, and its answer is lost`
      const order = heard.map((number) => ran.find((run) => run.number === number) as Run)
      if (!isInOrder(admissible, order)) return `the answers to ${order.map(describe)} are out of order`
      const last = answers.findIndex(({ closes }) => closes)
      if (last >= 0 && last < answers.length - 1) return 'there is an answer behind the one that closes'
    } catch (error) {
      return `${(error as Error).message}: ${JSON.stringify(text.slice(0, 300))}`
    }
    return undefined
  }
}

const describe = ({ method, target, body }: Admissible): string => `${method} ${target.slice(0, 80)} [${body.length}]`

const isEqual = (a: Admissible, b: Admissible): boolean =>
  a.method === b.method && a.target === b.target && a.body === b.body

const isAmong = (list: readonly Admissible[], run: Admissible): boolean => list.some((each) => isEqual(each, run))

/** Returns whether `runs` are in the order of `list`. */
function isInOrder(list: readonly Admissible[], runs: readonly Admissible[]): boolean {
  let at = 0
  for (const each of list) if (at < runs.length && isEqual(each, runs[at] as Admissible)) at++
  return at === runs.length
}

/** Sends bytes, cut at these positions, closes its side, and collects what comes until the other end closes. */
function exchanged(
  to: number,
  input: Buffer,
  cuts: readonly number[],
): Promise<{ port: number; text: string; ended: boolean }> {
  return new Promise((resolve) => {
    const socket = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true })
    let [text, port] = ['', 0]
    const end = (ended: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ port, text, ended })
    }
    const timer = setTimeout(end, ENDS_WITHIN_MS, false)
    socket.on('connect', async () => {
      port = socket.localPort as number
      socket.setNoDelay(true)
      let at = 0
      for (const cut of [...cuts, input.length]) {
        socket.write(input.subarray(at, cut))
        at = cut
        await new Promise(setImmediate)
      }
      socket.end()
    })
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
    })
    socket.on('end', () => end(true)).on('close', () => end(true))
    socket.on('error', () => {})
  })
}

/** Fuzzes the edge until `enough`, which is given the number of executions. */
export async function fuzzEdge(
  edge: Edge,
  seed: number,
  enough: (executions: number) => boolean,
): Promise<Fuzzed & { readonly reasons: readonly string[] }> {
  const random = randomOf(seed)
  const below = (n: number): number => Math.floor(random() * n)
  const corpus = [...SEEDS, ...keptFor(EDGE)]
  const findings: Buffer[] = []
  const reasons: string[] = []
  let executions = 0
  let slowestMs = 0
  const any = (): Buffer => corpus[below(corpus.length)] as Buffer
  const one = async (): Promise<void> => {
    const input = mutate(any(), any(), random, PIECES)
    const cuts = Array.from({ length: below(3) }, () => below(input.length + 1)).sort((a, b) => a - b)
    if (corpus.length < MOST_CORPUS && random() < 0.01) corpus.push(input)
    const since = performance.now()
    const wrong = await edge.wrongWith(input, cuts)
    slowestMs = Math.max(slowestMs, performance.now() - since)
    executions++
    if (!wrong) return
    findings.push(input)
    reasons.push(`${wrong}, cut at ${cuts.join()}`)
  }
  const lane = async (): Promise<void> => {
    while (!enough(executions)) await one()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  return { executions, findings, slowestMs, reasons }
}
