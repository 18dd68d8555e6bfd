/** A worker process's beat: it tells its supervisor that the event loop turns, and has a thread look where it stands still if it does. */
import { Worker as Thread } from 'node:worker_threads'
import { currentRequest, type Worker } from '../../../workers/index.js'
import type { Logger } from '../../log.js'
import type { InspectorTerms } from './blocked-loop-inspector.js'
import { BEAT_MS, type Beat, BLOCKED_LOOP_FD, type BlockedLoop } from './ipc.js'

const MEGABYTE = 2 ** 20

/** Where the witness finds what the process holds: a debugger sees the globals, and no more. */
const HELD = 'takespace.held'

/** Measured: the thread takes about 9 MB and needs no more for an app of thousands of files. */
const LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 }

/** It beats at once, and until the process ends. */
export async function startBeat(worker: Worker, logger: Logger, onBeat: (beat: Beat) => void): Promise<void> {
  // A Node.js that was built without an inspector has no such module.
  const inspector = process.features.inspector ? await import('node:inspector') : undefined
  const seen = new Int32Array(new SharedArrayBuffer(8))
  const beat = (): void => {
    const inspected = inspector?.url() !== undefined
    seen[0]!++
    seen[1] = Number(inspected)
    const { taken, overrunHandlers } = worker.turns
    onBeat({ megabytes: Math.round(process.memoryUsage.rss() / MEGABYTE), taken, overrunHandlers, inspected })
  }
  beat()
  setInterval(beat, BEAT_MS).unref()
  if (inspector) startInspector(worker, logger, seen)
}

function startInspector(worker: Worker, logger: Logger, seen: Int32Array): void {
  Object.defineProperty(globalThis, Symbol.for(HELD), { value: () => held(worker) })
  const workerData: InspectorTerms = { seen, fd: BLOCKED_LOOP_FD, expression: `globalThis[Symbol.for('${HELD}')]()` }
  // What the user has this process load first (NODE_OPTIONS, --import) is not for the thread.
  const own = { execArgv: [], env: {}, resourceLimits: LIMITS }
  const thread = new Thread(new URL('./blocked-loop-inspector.js', import.meta.url), { workerData, ...own })
  thread.unref()
  thread.on('error', (err) => logger.warn({ err }, 'where this process stands still can no longer be told'))
}

function held({ turns }: Worker): Omit<BlockedLoop, 'stack'> {
  turns.doubt()
  return { request: running(), turns: turns.list(), running: turns.ids() }
}

function running(): string | undefined {
  try {
    return currentRequest().id
  } catch {
    // It is not a handler that runs.
    return undefined
  }
}
