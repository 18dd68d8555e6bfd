/** One worker process of a supervisor: says who it is in the space, takes requests, and drains when it is told to or left alone. */
import type { Command } from 'commander'
import { type App, createWorker, type Worker } from '../../workers/index.js'
import { spaceMeasures } from '../admin/measures.js'
import type { Logger } from '../log.js'
import { openSpace } from '../open.js'
import type { Space } from '../space.js'
import { loadApp } from './app.js'
import { startBeat } from './beat.js'
import { describe } from './failure.js'
import { openLog } from './log.js'
import { type Message, messageOf, type Question, type Report } from './reports.js'
import {
  concurrencyOption,
  durabilityOption,
  maxStreamingOption,
  maxStreamOption,
  nameOption,
  serviceOption,
  sharedUrl,
  stopTimeoutOption,
  urlOption,
} from './settings.js'

interface Flags {
  readonly url?: string
  readonly name: string
  readonly durability?: 'memory' | 'local' | 'fsync'
  readonly service: string
  readonly concurrency: number
  readonly stopTimeoutMs: number
  readonly maxStreamBytes: number
  readonly maxStreamingBytes: number
}

export function workerProcess(program: Command): void {
  program
    .command('worker-process', { hidden: true })
    .argument('<app>')
    .addOption(concurrencyOption())
    .addOption(serviceOption())
    .addOption(urlOption())
    .addOption(nameOption())
    .addOption(durabilityOption())
    .addOption(maxStreamOption())
    .addOption(maxStreamingOption())
    .addOption(stopTimeoutOption())
    .action((app: string, flags: Flags, command: Command) => run(app, flags, sharedUrl(command, flags.url)))
}

async function run(file: string, { name, ...terms }: Flags, url: string): Promise<void> {
  const { durability, service, concurrency, stopTimeoutMs, maxStreamBytes, maxStreamingBytes } = terms
  let close: (() => Promise<void>) | undefined
  let stopping = false
  const stop = async (): Promise<void> => {
    if (stopping) return
    stopping = true
    await close?.()
    // The app may hold timers and connections of its own, of which we know nothing and which nobody needs any longer.
    process.exit(0)
  }
  // A terminal sends Ctrl-C, and a service manager SIGTERM, to the whole group: one wish, which the supervisor passes on as well.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => void stop())
  // A supervisor that was killed cannot stop us.
  process.on('disconnect', () => void stop())

  try {
    const logger = await openLog('worker')
    const app = await loadApp<App>(file)
    const space = await openSpace(url, { name, durability, maxStreamBytes, maxStreamingBytes, logger })
    close = () => space.close()
    report({ session: space.session })
    const worker = createWorker({ space, app, service, concurrency, stopTimeoutMs, logger })
    answerQuestions(worker, space, logger)
    // Before it starts: the first request may come, and block it, before it can say that it is ready.
    await startBeat(worker, logger, (beat) => report({ beat }))
    await worker.start()
    report({ ready: true })
  } catch (error) {
    stopping = true
    await close?.()
    // One line for people comes from the supervisor, however many processes failed alike.
    if (!process.connected) throw error
    report({ failed: describe(error) }, () => process.exit(1))
  }
}

/** What it measures is read, and what reads it is loaded, when the supervisor asks. */
function answerQuestions(worker: Worker, space: Space, logger: Logger): void {
  const measures = [...worker.measures, ...spaceMeasures(space)]
  const families = async (): Promise<Report> => {
    const { familiesOf } = await import('../admin/metrics.js')
    return { families: await familiesOf(measures) }
  }
  process.on('message', (message) => {
    if (messageOf<Question>(message) !== 'families') return
    families().then(
      (answer) => report(answer),
      (err) => logger.warn({ err }, 'what this process measures could not be told'),
    )
  })
}

function report(content: Report, told?: () => void): void {
  const message: Message<Report> = { takespace: content }
  // A supervisor that is gone has closed the channel; whatever it would have been told is for nobody.
  if (process.connected) process.send?.(message, undefined, undefined, () => told?.())
}
