/** One seed, one run: gateways and workers on a memory space, with chance at every message, and what must hold whatever it brings. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createGateway } from '../../gateway/index.js'
import { CONTROL, DEAD_LETTER } from '../../src/engine.js'
import { World } from '../../src/engines/memory/world.js'
import { silent } from '../../src/log.js'
import type { HttpRequest } from '../../src/request.js'
import { Space } from '../../src/space.js'
import { nodeHandler } from '../../workers/apps/node.js'
import type { Handler } from '../../workers/handler.js'
import { createWorker, type Worker } from '../../workers/index.js'
import { contextOf } from '../workers/turns.js'
import { Chance } from './chance.js'
import { Ledger, Process } from './process.js'
import { VirtualTime } from './time.js'

const TIMEOUT_MS = 3_000
/** Requests come during this time; then what is under way ends. */
const BUSY_MS = 2_000
const END_MS = BUSY_MS + TIMEOUT_MS + 2_500

interface Sent {
  readonly id: number
  readonly method: string
  readonly at: number
  readonly gateway: Process
  answeredAt: number | undefined
  status: number | undefined
  text: string
}

interface Run {
  readonly id: number
  readonly worker: Process
  ended: boolean
}

export interface Simulated {
  readonly requests: number
  readonly kills: number
  readonly cuts: number
  readonly pauses: number
  /** Answers by status. */
  readonly statuses: Record<number, number>
  readonly runs: number
  /** What did not hold. */
  readonly violations: readonly string[]
  /** All that happened, to compare two runs of a seed. */
  readonly story: string
}

export async function simulate(seed: number): Promise<Simulated> {
  const time = new VirtualTime()
  const chance = new Chance(seed)
  time.install()
  try {
    return await new Simulation(time, chance).run()
  } finally {
    time.restore()
  }
}

class Simulation {
  readonly #time: VirtualTime
  readonly #chance: Chance
  readonly #world = new World()
  readonly #ledger = new Ledger()
  readonly #gateways: { process: Process; handle: Handler }[] = []
  readonly #workers: { process: Process; worker: Worker }[] = []
  readonly #sent: Sent[] = []
  readonly #runs: Run[] = []
  readonly #story: string[] = []
  #kills = 0
  #cuts = 0
  #pauses = 0

  constructor(time: VirtualTime, chance: Chance) {
    this.#time = time
    this.#chance = chance
  }

  async run(): Promise<Simulated> {
    const chance = this.#chance
    for (let i = chance.integer(1, 2); i > 0; i--) this.#addGateway()
    for (let i = chance.integer(1, 4); i > 0; i--) this.#addWorker()
    for (let i = chance.integer(5, 40); i > 0; i--) this.#time.after(chance.between(1, BUSY_MS), () => this.#request())
    for (let i = chance.integer(0, 6); i > 0; i--) this.#time.after(chance.between(50, BUSY_MS), () => this.#trouble())
    // Whatever happens, somebody is there at the end.
    this.#time.after(BUSY_MS + 10, () => this.#addWorker())
    await this.#time.run(END_MS)
    return this.#judged()
  }

  #note(what: string): void {
    this.#story.push(`${this.#time.now.toFixed(2)} ${what}`)
  }

  #addGateway(): void {
    const process = new Process(this.#world, this.#time, this.#chance, this.#ledger)
    const space = new Space(process.engine, 'simulated', silent)
    const gateway = createGateway({ space, limits: { timeoutMs: TIMEOUT_MS } })
    this.#gateways.push({ process, handle: nodeHandler(gateway.handler) })
  }

  #addWorker(): void {
    const process = new Process(this.#world, this.#time, this.#chance, this.#ledger)
    const space = new Space(process.engine, 'simulated', silent)
    const app = (req: IncomingMessage, res: ServerResponse): void => this.#handle(process, req, res)
    const worker = createWorker({ space, app, concurrency: this.#chance.integer(1, 4), stopTimeoutMs: 500 })
    this.#workers.push({ process, worker })
    void worker.start()
  }

  #handle(worker: Process, req: IncomingMessage, res: ServerResponse): void {
    const id = Number(req.url?.slice(1))
    const run: Run = { id, worker, ended: false }
    const number = this.#runs.push(run)
    this.#note(`run ${number} of ${id} on ${worker.session}`)
    req.resume()
    setTimeout(
      () => {
        run.ended = true
        if (worker.alive) res.end(String(number))
      },
      this.#chance.between(1, this.#chance.happens(0.05) ? TIMEOUT_MS * 1.5 : 80),
    )
  }

  #request(): void {
    const gateways = this.#gateways.filter(({ process }) => process.alive)
    if (gateways.length === 0) return
    const { process, handle } = this.#chance.pick(gateways)
    const id = this.#sent.length + 1
    const method = this.#chance.happens(0.5) ? 'GET' : 'POST'
    const sent: Sent = {
      id,
      method,
      at: this.#time.now,
      gateway: process,
      answeredAt: undefined,
      status: undefined,
      text: '',
    }
    this.#sent.push(sent)
    const request: HttpRequest = {
      method,
      target: `/${id}`,
      httpVersion: '1.1',
      headers: ['Host', 'simulated.example'],
      body: Buffer.alloc(0),
      peer: '127.0.0.1',
      secure: false,
    }
    handle(request, contextOf()).then(
      ({ status, body }) => {
        if (sent.answeredAt !== undefined) this.#note(`second answer of ${id}`)
        Object.assign(sent, { status, text: body.toString(), answeredAt: this.#time.now })
        this.#note(`answer of ${id}: ${status}`)
      },
      (error) => this.#note(`no answer of ${id}: ${error}`),
    )
  }

  #trouble(): void {
    const all = [...this.#gateways, ...this.#workers].map(({ process }) => process).filter(({ alive }) => alive)
    const workers = this.#workers.filter(({ process }) => process.alive)
    const kind = this.#chance.pick([
      'kill',
      'kill',
      'cut',
      'cut',
      'pause',
      'mistake',
      'mistake',
      'stop',
      'start',
      'gateway',
    ])
    if (kind === 'start' || workers.length === 0) return this.#addWorker()
    if (kind === 'gateway' && this.#gateways.filter(({ process }) => process.alive).length < 2)
      return this.#addGateway()
    const { process, worker } = this.#chance.pick(workers)
    const victim = this.#chance.pick(all)
    this.#note(`${kind} ${kind === 'kill' ? process.session : victim.session}`)
    if (kind === 'kill') {
      this.#kills++
      process.kill()
    } else if (kind === 'cut') {
      this.#cuts++
      victim.cut()
    } else if (kind === 'pause') {
      this.#pauses++
      victim.pause(this.#chance.between(50, 400))
    } else if (kind === 'mistake') {
      // It is taken for dead and is not.
      this.#world.bury(process.session)
    } else if (kind === 'gateway') {
      this.#kills++
      victim.kill()
    } else {
      void worker.stop()
    }
  }

  #judged(): Simulated {
    const violations = this.#ledger.violations
    const statuses: Record<number, number> = {}
    // What killed processes have told of themselves stays: in memory it has no lease.
    const left = this.#world.bag.entries().filter(({ entry }) => !entry.kinds.includes(CONTROL))
    const letters = left.filter(({ entry }) => entry.kinds[0] === DEAD_LETTER).length
    for (const sent of this.#sent) {
      const { id, method, gateway, status, text } = sent
      const runs = this.#runs.filter((run) => run.id === id)
      if (method === 'POST' && runs.length > 1) violations.push(`POST ${id} was run ${runs.length} times`)
      if (!gateway.alive) continue
      if (status === undefined) {
        violations.push(`${method} ${id} was not answered`)
        continue
      }
      statuses[status] = (statuses[status] ?? 0) + 1
      const ms = (sent.answeredAt ?? 0) - sent.at
      if (ms > TIMEOUT_MS + 50) violations.push(`${method} ${id} was answered after ${Math.round(ms)} ms`)
      if (status === 200) {
        const run = this.#runs[Number(text) - 1]
        if (run?.id !== id) violations.push(`${method} ${id} has the answer of run ${text}`)
      } else if (![502, 503, 504].includes(status)) {
        violations.push(`${method} ${id} was answered ${status}`)
      } else if (status === 502 && method === 'GET' && letters === 0) {
        // A POST may have been started by a worker that died; a GET is given up only if three have.
        violations.push(`${method} ${id} was given up`)
      }
    }
    for (const line of this.#story) if (line.includes('second answer')) violations.push(line)
    if (left.length > letters) violations.push(`${left.length - letters} entries are left`)
    return {
      requests: this.#sent.length,
      kills: this.#kills,
      cuts: this.#cuts,
      pauses: this.#pauses,
      statuses,
      runs: this.#runs.length,
      violations,
      story: this.#story.join('\n'),
    }
  }
}
