/** The heartbeat of a worker or gateway process, and the thread that inspects it when its event loop is blocked. */
import { Worker as Thread } from 'node:worker_threads'
import { currentRequest, type Worker } from '../../../workers/index.js'
import type { Logger } from '../../log.js'
import { BLOCKED_LOOP_INSPECTOR } from '../places.js'
import type { InspectorTerms } from './blocked-loop-inspector.js'
import { BEAT_MS, type Beat, BLOCKED_LOOP_FD, type BlockedLoop } from './ipc.js'

const MEGABYTE = 2 ** 20

/** The global under which the inspector finds the turns in flight: a debugger sees only globals. */
const HELD = 'takespace.held'

/** Measured: the thread takes about 9 MB, also for an app of thousands of files. */
const LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 }

/** The state that a heartbeat and the inspector read. */
export type Beating = Pick<Worker, 'turns'>

/** A process without turns. */
export const TURNLESS: Beating = {
  turns: {
    taken: 0,
    inFlight: 0,
    answered: 0,
    isLeaving: false,
    overrunHandlers: 0,
    maxOverrunHandlers: 0,
    list: () => [],
    ids: () => [],
    doubt: () => {},
  },
}

/** Starts at once and beats until the process ends. */
export async function startBeat(worker: Beating, logger: Logger, onBeat: (beat: Beat) => void): Promise<void> {
  // Node.js may be built without an inspector.
  const inspector = process.features.inspector ? await import('node:inspector') : undefined
  const seen = new Int32Array(new SharedArrayBuffer(8))
  const beat = (): void => {
    const inspected = inspector?.url() !== undefined
    seen[0]!++
    seen[1] = Number(inspected)
    const { taken, answered, overrunHandlers } = worker.turns
    onBeat({ megabytes: Math.round(process.memoryUsage.rss() / MEGABYTE), taken, answered, overrunHandlers, inspected })
  }
  beat()
  setInterval(beat, BEAT_MS).unref()
  if (inspector) startInspector(worker, logger, seen)
}

function startInspector(worker: Beating, logger: Logger, seen: Int32Array): void {
  Object.defineProperty(globalThis, Symbol.for(HELD), { value: () => held(worker) })
  const workerData: InspectorTerms = { seen, fd: BLOCKED_LOOP_FD, expression: `globalThis[Symbol.for('${HELD}')]()` }
  // The user's preloads (NODE_OPTIONS, --import) are not for the thread.
  const own = { execArgv: [], env: {}, resourceLimits: LIMITS }
  const thread = new Thread(BLOCKED_LOOP_INSPECTOR, { workerData, ...own })
  thread.unref()
  thread.on('error', (err) =>
    logger.warn({ err }, 'the heartbeat thread failed: stacks of a blocked process are not available'),
  )
}

function held({ turns }: Beating): Omit<BlockedLoop, 'stack'> {
  turns.doubt()
  return { request: running(), turns: turns.list(), running: turns.ids() }
}

function running(): string | undefined {
  try {
    return currentRequest().id
  } catch {
    // No handler is running.
    return undefined
  }
}
