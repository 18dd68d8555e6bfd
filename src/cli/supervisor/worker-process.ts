/**
 * A worker process of a supervisor: joins the space, takes requests, drains when it is told to or its supervisor is
 * gone.
 */
import type { Command } from 'commander'
import { type App, createWorker, type Worker } from '../../../workers/index.js'
import { monotonicMs } from '../../clock.js'
import { controlOf } from '../../control.js'
import { openSpace } from '../../open.js'
import type { Space } from '../../space.js'
import { closeApp } from '../load/close.js'
import { openLog } from '../log.js'
import { sharedUrl } from '../settings/shared-url.js'
import { type WorkerFlags, workerTerms } from '../settings.js'
import { holdSignals } from '../signals.js'
import { onUncaught } from '../uncaught.js'
import { startBeat } from './heartbeat.js'
import { messageOf, type Question } from './ipc.js'
import { metricsReporter, report, reportFailure } from './to-supervisor.js'

interface Flags extends WorkerFlags {
  readonly url?: string
  readonly nextUrl?: string
  readonly name: string
}

/** Minimum time for an app to close, and for its signal listeners, after a drain that took all its time. */
const LEAST_CLOSING_MS = 1_000

/** As of Node.js after an error that was not caught. */
const EXIT_CRASHED = 1

export async function workerProcess(file: string, flags: Flags, command: Command): Promise<void> {
  const url = sharedUrl(command, flags.url)
  const { name, nextUrl, durability, stopTimeoutMs, maxStreamBytes, maxStreamingBytes, directStreams, listen } = flags
  let worker: Worker | undefined
  let space: Space | undefined
  let close: (() => unknown) | undefined
  let stopping = false
  let crashing = false
  /** Resolves when the supervisor has been told of the crash; an exit drops messages that are not written. */
  let told: Promise<void> | undefined

  const stop = async (): Promise<void> => {
    // A crashed process ends by itself; the space must not be closed then (Worker.uncaught).
    if (stopping || crashing) return
    stopping = true
    const since = monotonicMs()
    const remainingMs = (): number => Math.max(stopTimeoutMs - (monotonicMs() - since), LEAST_CLOSING_MS)
    await worker?.stop()
    await closeApp(close, remainingMs(), (line) => process.stderr.write(`takespace: ${line}\n`))
    await space?.close()
    if (process.connected) process.disconnect()
    signals.release(remainingMs())
  }
  const crash = async (running: Worker, error: unknown): Promise<void> => {
    const left = running.uncaught(error)
    if (running.turns.isLeaving && !stopping && !crashing) {
      crashing = true
      const crashed = { answered: running.turns.answered }
      told = new Promise((resolve) => report({ crashed }, resolve))
    }
    if ((await left) !== 'exit' || !crashing) return
    await told
    process.exit(EXIT_CRASHED)
  }
  // A terminal sends Ctrl-C to the whole group: the supervisor gets it too, and has this process drain.
  const signals = holdSignals((signal) => void (signal === 'SIGTERM' && stop()))
  // A killed supervisor cannot stop this process.
  process.on('disconnect', () => void stop())
  let reportMetrics = (): void => {}
  const begun = new Promise<void>((resolve) => {
    process.on('disconnect', resolve)
    process.on('message', (message) => {
      const question = messageOf<Question>(message)
      if (question === 'drain') void stop()
      else if (question === 'metrics') reportMetrics()
      if (question !== undefined) resolve()
    })
  })

  try {
    const logger = await openLog('worker')
    // Loaded while the supervisor connects.
    const [{ loadApp }] = await Promise.all([import('../load/app-file.js'), import('../../engines/redis/index.js')])
    report({ awaiting: 'settings' })
    await begun
    if (stopping) return
    const { close: closeOfApp, ...served } = await loadApp<App>(file, {
      listen,
      tell: (line) => logger.info({ app: file }, line),
    })
    close = closeOfApp
    space = await openSpace(url, {
      name,
      nextUrl,
      durability,
      maxStreamBytes,
      maxStreamingBytes,
      directStreams,
      logger,
    })
    controlOf(space).onStop = stop
    report({ presence: space.presence })
    worker = createWorker({ space, ...served, ...workerTerms(flags), logger })
    reportMetrics = metricsReporter(worker.measures, space, logger)
    const running = worker
    if (flags.onCrash === 'finish') onUncaught((error) => void crash(running, error))
    // Before the start: the first request may block the process before it can report that it is ready.
    await startBeat(worker, logger, (beat) => report({ beat }))
    await worker.start()
    report({ ready: true })
  } catch (error) {
    if (stopping) return
    stopping = true
    await space?.close()
    reportFailure(error)
  }
}
