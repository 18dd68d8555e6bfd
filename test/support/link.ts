/** A TCP link of our own between a client and Redis, which can be cut, frozen, slowed, and made to lose replies. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { freePort } from './port.js'
import { PushFilter } from './push-filter.js'

export interface Link {
  readonly port: number
  readonly url: string
  /** Pairs of sockets that are open now. */
  readonly connections: number
  /** Chunks of replies that have been lost so far. */
  readonly lost: number
  /** Destroys all connections; new ones are welcome. */
  cut(): void
  /** New connections are refused as on a port where nobody listens; the open ones stay. */
  refuse(): Promise<void>
  accept(): Promise<void>
  /** Takes everything, also the news that a side has gone, and passes nothing on, as a network that loses packets does. */
  blackhole(): void
  /** Requests pass, replies are lost. */
  dropReplies(): void
  /** Replies pass, the messages that the server pushes are lost, and no connection is cut; until it is called with false. */
  dropPushes(drop: boolean): void
  /** Ends both: what the hole held back arrives late; connections that lost replies are cut, since their stream has a gap. */
  heal(): void
  /** The next reply (that `which` picks) is lost and its connection cut after its request has passed. Resolves when that has happened. */
  dropNextReplyThenCut(which?: (bytes: Buffer) => boolean): Promise<void>
  /** Sends these bytes to the clients that the faults hit, behind what the server has sent. */
  say(text: string): void
  /** Each chunk arrives this much later, in both directions. */
  delay(ms: number): void
  /** Ends everything. */
  close(): Promise<void>
}

interface Weather {
  held: boolean
  delayMs: number
  losing: boolean
  deaf: boolean
}

const fair = (): Weather => ({ held: false, delayMs: 0, losing: false, deaf: false })

/** One direction of one connection. `null` stands for its end, which travels behind the bytes. */
class Lane {
  private readonly waiting: { bytes: Buffer | null; due: number }[] = []
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly to: Socket,
    private readonly weather: () => Weather,
  ) {}

  push(bytes: Buffer | null): void {
    this.waiting.push({ bytes, due: performance.now() + this.weather().delayMs })
    this.pass()
  }

  /** Lets through what is due, in order. */
  pass(): void {
    clearTimeout(this.timer)
    while (this.waiting[0] && !this.weather().held) {
      const early = this.waiting[0].due - performance.now()
      if (early > 0) {
        this.timer = setTimeout(() => this.pass(), Math.ceil(early))
        return
      }
      const bytes = this.waiting.shift()?.bytes
      if (bytes) this.to.write(bytes)
      else this.to.destroySoon()
    }
  }

  stop(): void {
    clearTimeout(this.timer)
    this.waiting.length = 0
  }
}

interface Pair {
  readonly lanes: readonly Lane[]
  /** Whether the faults of the link hit it. */
  isMeant: boolean
  lostReplies: boolean
  destroy(): void
}

/**
 * @param only the faults hit only the connections whose client has sent this text, such as `REPLCONF`; default all. What a primary sends to a
 *   replica is no list of replies, so with it no pushes can be lost.
 */
export async function startLink(targetPort: number, { only = '' }: { readonly only?: string } = {}): Promise<Link> {
  const weather = fair()
  const outside = fair()
  const pairs = new Set<Pair>()
  let lost = 0
  let doomed: { which: (bytes: Buffer) => boolean; done: () => void } | undefined

  const server = createServer((client) => {
    const redis = connect(targetPort, '127.0.0.1')
    const ofPair = (): Weather => (pair.isMeant ? weather : outside)
    const there = new Lane(redis, ofPair)
    const back = new Lane(client, ofPair)
    const filter = new PushFilter(() => lost++)
    const pair: Pair = {
      lanes: [there, back],
      isMeant: only === '',
      lostReplies: false,
      destroy() {
        for (const lane of pair.lanes) lane.stop()
        client.destroy()
        redis.destroy()
        pairs.delete(pair)
      },
    }
    pairs.add(pair)
    client.setNoDelay(true).on('data', (bytes) => {
      pair.isMeant ||= bytes.includes(only)
      there.push(bytes)
    })
    redis.setNoDelay(true).on('data', (bytes) => {
      if (pair.isMeant && doomed?.which(bytes)) {
        lost++
        const { done } = doomed
        doomed = undefined
        pair.destroy()
        done()
      } else if (ofPair().losing) {
        lost++
        pair.lostReplies = true
      } else back.push(only === '' ? filter.pass(bytes, weather.deaf) : bytes)
    })
    // An error is followed by 'close', which says all that the other side can learn.
    for (const socket of [client, redis]) socket.on('error', () => {})
    const closed = (lane: Lane): void => {
      lane.push(null)
      if (client.destroyed && redis.destroyed) pair.destroy()
    }
    client.on('close', () => closed(there))
    redis.on('close', () => closed(back))
  })

  const port = await freePort()
  const accept = async (): Promise<void> => {
    if (server.listening) return
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  // Listening ends at once; the callback of close() would wait for the connections too.
  const refuse = async (): Promise<void> => void (server.listening && server.close())
  const cut = (): void => {
    for (const pair of pairs) if (pair.isMeant) pair.destroy()
  }
  await accept()

  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get connections() {
      return pairs.size
    },
    get lost() {
      return lost
    },
    cut,
    refuse,
    accept,
    blackhole() {
      weather.held = true
    },
    dropReplies() {
      weather.losing = true
    },
    dropPushes(drop) {
      weather.deaf = drop
    },
    heal() {
      weather.held = false
      weather.losing = false
      for (const pair of pairs) {
        if (pair.lostReplies) pair.destroy()
        else for (const lane of pair.lanes) lane.pass()
      }
    },
    dropNextReplyThenCut: (which = () => true) =>
      new Promise((done) => {
        doomed = { which, done }
      }),
    say(text) {
      for (const pair of pairs) if (pair.isMeant) pair.lanes[1]!.push(Buffer.from(text))
    },
    delay(ms) {
      weather.delayMs = ms
    },
    async close() {
      await refuse()
      for (const pair of pairs) pair.destroy()
    },
  }
}
