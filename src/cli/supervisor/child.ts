/** One worker process as its supervisor knows it, from its fork to its exit. */
import { type ChildProcess, fork } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Family } from '../../admin/metrics.js'
import { monotonicMs } from '../../clock.js'
import { within } from '../../runtime/deadline.js'
import {
  type Beat,
  BLOCKED_LOOP_FD,
  type BlockedLoop,
  type IpcMessage,
  messageOf,
  type Question,
  type Report,
} from './ipc.js'
import type { RecyclePolicy } from './recycle-policy.js'

export type State = 'starting' | 'ready' | 'blocked' | 'leaving'

/** Who hears of it. */
export interface Overseer {
  ready(child: Child): void
  /** `silentMs`: since the last one. */
  beat(child: Child, beat: Beat, silentMs: number): void
  loopBlocked(child: Child, report: BlockedLoop): void
  failed(child: Child, error: Error): void
  exited(child: Child, code: number | null, signal: NodeJS.Signals | null): void
}

const PROGRAM = fileURLToPath(new URL('../main.js', import.meta.url))

export class Child {
  /** Its name in the space, once it has said it. */
  presence: string | undefined
  readyAt: number | undefined
  /** What it said when it could not start. */
  failure: string | undefined
  /** It is to be replaced. */
  dueForRecycling = false
  /** It was told to drain. */
  leaving = false
  /** It is silent; the space has heard it; it was killed for it. */
  blocked = false
  suspended = false
  killed = false
  /** A debugger looks at it. */
  inspected = false
  /** What it may not reach; undefined until it is ready. */
  recyclePolicy: RecyclePolicy | undefined
  readonly #process: ChildProcess
  #beatAt: number | undefined
  #silentLooks = 0
  #asked: Promise<readonly Family[] | undefined> | undefined
  #onFamilies: ((families: readonly Family[]) => void) | undefined

  constructor(args: readonly string[], env: NodeJS.ProcessEnv, overseer: Overseer) {
    const stdio = ['inherit', 'inherit', 'inherit', 'ipc', 'pipe'] as const
    const child = fork(PROGRAM, args, { env, stdio: [...stdio] })
    this.#process = child
    child.on('message', (message) => {
      const report = messageOf<Report>(message)
      if (typeof report === 'object' && report !== null) this.#hear(report, overseer)
    })
    // A fork that fails has no exit; it is a death like any other.
    child.once('error', (error) => {
      overseer.failed(this, error)
      if (child.pid === undefined) overseer.exited(this, null, null)
    })
    child.once('exit', (code, signal) => overseer.exited(this, code, signal))
    this.#readBlockedLoops(overseer)
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  get state(): State {
    if (this.leaving) return 'leaving'
    if (this.blocked) return 'blocked'
    return this.readyAt === undefined ? 'starting' : 'ready'
  }

  /** Has it drain. By a message: on a signal the app would close what the requests under way still need. */
  leave(): void {
    this.leaving = true
    const drain: IpcMessage<Question> = { takespace: 'drain' }
    if (this.#process.connected) this.#process.send(drain, () => {})
    else this.kill('SIGTERM')
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /**
   * How many looks, this one included, it has been silent for; 0 before its first beat, while the app is loaded. Looks are counted, not
   * milliseconds: a supervisor that was itself kept from looking reads what has come meanwhile before it looks again.
   */
  look(): number {
    return this.#beatAt === undefined ? 0 : ++this.#silentLooks
  }

  /** What it measures, or undefined if it does not say so within that time. */
  async families(boundMs: number): Promise<readonly Family[] | undefined> {
    // Whoever asks meanwhile gets the same answer.
    this.#asked ??= this.#ask(boundMs).finally(() => {
      this.#asked = undefined
    })
    return this.#asked
  }

  async #ask(boundMs: number): Promise<readonly Family[] | undefined> {
    let families: readonly Family[] | undefined
    const answered = new Promise<void>((resolve) => {
      this.#onFamilies = (answer) => {
        families = answer
        resolve()
      }
    })
    const question: IpcMessage<Question> = { takespace: 'families' }
    // One that has just ended has no channel any more; its error is that of nobody.
    if (this.#process.connected) this.#process.send(question, () => {})
    await within(boundMs, answered)
    return families
  }

  #hear(report: Report, overseer: Overseer): void {
    this.#silentLooks = 0
    if ('presence' in report) this.presence = report.presence
    else if ('failed' in report) this.failure = report.failed
    else if ('families' in report) this.#onFamilies?.(report.families)
    else if ('beat' in report) this.#beat(report.beat, overseer)
    else if ('ready' in report) {
      this.readyAt = monotonicMs()
      overseer.ready(this)
    }
  }

  #beat(beat: Beat, overseer: Overseer): void {
    const now = monotonicMs()
    const silentMs = Math.round(now - (this.#beatAt ?? now))
    this.#beatAt = now
    this.inspected = beat.inspected
    overseer.beat(this, beat, silentMs)
  }

  #readBlockedLoops(overseer: Overseer): void {
    const pipe = this.#process.stdio[BLOCKED_LOOP_FD] as Readable | null | undefined
    if (!pipe) return
    pipe.on('error', () => {})
    createInterface({ input: pipe }).on('line', (line) => {
      const report = blockedLoopIn(line)
      if (report) overseer.loopBlocked(this, report)
    })
  }
}

function blockedLoopIn(line: string): BlockedLoop | undefined {
  try {
    const { stack, request, turns, running } = JSON.parse(line)
    return { stack, request, turns, running }
  } catch {
    return undefined
  }
}
