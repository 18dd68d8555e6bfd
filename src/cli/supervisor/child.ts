/** A process as its supervisor sees it, from fork to exit. */
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { ProcessMetrics } from '../../admin/metrics.js'
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

/** Receives the events of a child. */
export interface Overseer {
  ready(child: Child): void
  /** `silentMs` is the time since the last heartbeat. */
  beat(child: Child, beat: Beat, silentMs: number): void
  loopBlocked(child: Child, report: BlockedLoop): void
  /** The child finishes its requests, then ends. */
  crashed(child: Child): void
  failed(child: Child, error: Error): void
  exited(child: Child, code: number | null, signal: NodeJS.Signals | null): void
}

/** The channel of a process ends with it; a bound for the case that it does not. */
const CHANNEL_ENDS_MS = 1_000

export class Child {
  /** Its name in the space, once it is known. */
  presence: string | undefined
  readyAt: number | undefined
  /** The error of a failed start. */
  failure: string | undefined
  /** It is to be replaced. */
  dueForRecycling = false
  /** It has answered a request. */
  answered = false
  /** An error was not caught; it ends by itself. */
  crashed = false
  /** It crashed before it reported that it is ready. */
  #crashedEarly = false
  /** It was told to drain. */
  leaving = false
  /** It does not answer; the space has been told; it was killed for it. */
  blocked = false
  suspended = false
  killed = false
  /** A debugger is attached. */
  inspected = false
  /** Its recycle policy; undefined until it is ready. */
  recyclePolicy: RecyclePolicy | undefined
  readonly #process: ChildProcess
  readonly #settings: Promise<object>
  #beatAt: number | undefined
  #silentLooks = 0
  #asked: Promise<ProcessMetrics | undefined> | undefined
  #onMetrics: ((metrics: ProcessMetrics) => void) | undefined

  /**
   * `settings` are sent when it asks for them and they are known: it waits until then. They may be larger than a
   * command line.
   */
  constructor(child: ChildProcess, settings: Promise<object>, overseer: Overseer) {
    this.#process = child
    this.#settings = settings
    child.on('message', (message) => {
      const report = messageOf<Report>(message)
      if (typeof report === 'object' && report !== null) this.#hear(report, overseer)
    })
    // A failed fork has no exit event; it counts as a death.
    child.once('error', (error) => {
      overseer.failed(this, error)
      if (child.pid === undefined) overseer.exited(this, null, null)
    })
    child.once('exit', (code, signal) => {
      // Its last messages may come after its exit: the channel ends behind them.
      const ended = (): void => {
        clearTimeout(bound)
        child.off('disconnect', ended)
        overseer.exited(this, code, signal)
      }
      const bound = setTimeout(ended, CHANNEL_ENDS_MS)
      if (child.connected) child.once('disconnect', ended)
      else ended()
    })
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

  /** Tells it to drain, by a message: on a signal the app would close resources that its requests need. */
  leave(): void {
    this.leaving = true
    if (this.#process.connected) this.#tell('drain')
    else this.kill('SIGTERM')
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /**
   * Returns the number of looks without a heartbeat, this one included; 0 before the first heartbeat, while the app is
   * loaded. Looks are counted, not milliseconds: a supervisor that was itself blocked reads pending messages before it
   * looks again.
   */
  look(): number {
    return this.#beatAt === undefined ? 0 : ++this.#silentLooks
  }

  /** Returns its metrics; undefined without a reply within that time. */
  async metrics(boundMs: number): Promise<ProcessMetrics | undefined> {
    // Concurrent calls share one answer.
    this.#asked ??= this.#ask(boundMs).finally(() => {
      this.#asked = undefined
    })
    return this.#asked
  }

  async #ask(boundMs: number): Promise<ProcessMetrics | undefined> {
    let metrics: ProcessMetrics | undefined
    const answered = new Promise<void>((resolve) => {
      this.#onMetrics = (answer) => {
        metrics = answer
        resolve()
      }
    })
    this.#tell('metrics')
    await within(boundMs, answered)
    return metrics
  }

  /** A process that has just ended has no channel; the error is ignored. */
  #tell(question: Question): void {
    const message: IpcMessage<Question> = { takespace: question }
    if (this.#process.connected) this.#process.send(message, () => {})
  }

  #hear(report: Report, overseer: Overseer): void {
    this.#silentLooks = 0
    if ('awaiting' in report)
      this.#settings.then(
        (settings) => this.#tell({ settings }),
        // The supervisor ends it.
        () => {},
      )
    else if ('presence' in report) this.presence = report.presence
    else if ('failed' in report) this.failure = report.failed
    else if ('metrics' in report) this.#onMetrics?.(report.metrics)
    else if ('beat' in report) this.#beat(report.beat, overseer)
    else if ('crashed' in report) {
      this.answered ||= report.crashed.answered > 0
      // A request can come, and crash the process, before it reports that it is ready.
      if (this.readyAt === undefined) this.#crashedEarly = true
      else overseer.crashed(this)
    } else if ('ready' in report) {
      this.readyAt = monotonicMs()
      overseer.ready(this)
      if (this.#crashedEarly) overseer.crashed(this)
    }
  }

  #beat(beat: Beat, overseer: Overseer): void {
    const now = monotonicMs()
    const silentMs = Math.round(now - (this.#beatAt ?? now))
    this.#beatAt = now
    this.inspected = beat.inspected
    this.answered ||= beat.answered > 0
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
