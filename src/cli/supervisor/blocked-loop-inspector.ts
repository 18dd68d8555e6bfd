/**
 * A thread of a worker process: when the main thread is blocked, it reads the stack with a debugger and writes it to
 * the supervisor's pipe.
 */
import { writeSync } from 'node:fs'
import { type Debugger, Session } from 'node:inspector'
import { workerData } from 'node:worker_threads'
import type { BlockedLoop } from './ipc.js'

export interface InspectorTerms {
  /** [number of heartbeats of the main thread, 1 while a debugger is attached] */
  readonly seen: Int32Array
  readonly fd: number
  /** Expression for the turns in flight, evaluated in the main thread. */
  readonly expression: string
}

const { seen, fd, expression } = workerData as InspectorTerms

/**
 * The main thread beats every 250 ms. Two looks without a beat are 600 ms. Looks are counted instead of reading a
 * clock, because a sleeping machine makes none.
 */
const LOOK_MS = 300
const LOOKS = 2
/** A main thread in native code pauses only after that; then there is no report. */
const PATIENCE_MS = 2_000
const FRAMES = 10

let last = seen[0]
let looks = 0

setInterval(() => {
  if (seen[0] !== last || seen[1] === 1) {
    last = seen[0]
    looks = 0
  } else if (++looks === LOOKS) {
    look()
  }
}, LOOK_MS)

function look(): void {
  const session = new Session()
  const files = new Map<string, string>()
  const done = (): void => session.disconnect()
  const patience = setTimeout(done, PATIENCE_MS)
  session.connectToMainThread()
  session.on('Debugger.scriptParsed', ({ params }) => files.set(params.scriptId, params.url))
  session.once('Debugger.paused', ({ params }) => {
    clearTimeout(patience)
    const stack = params.callFrames.slice(0, FRAMES).map((frame) => lineOf(frame, files))
    session.post('Runtime.evaluate', { expression, returnByValue: true, silent: true }, (_error, answer) => {
      const held: Partial<BlockedLoop> = answer?.result.value ?? {}
      // A main thread that goes on meanwhile was paused at a random line.
      if (seen[0] === last && held.running) tell({ turns: [], running: held.running, ...held, stack })
      session.post('Debugger.resume', done)
    })
  })
  session.post('Debugger.enable')
  session.post('Debugger.pause')
}

function lineOf({ functionName, location }: Debugger.CallFrame, files: ReadonlyMap<string, string>): string {
  const file = files.get(location.scriptId)?.replace(/^file:\/\//, '') || 'a text that was evaluated'
  return `${functionName || '(anonymous)'} (${file}:${location.lineNumber + 1})`
}

function tell(report: BlockedLoop): void {
  try {
    writeSync(fd, `${JSON.stringify(report)}\n`)
  } catch {
    // The supervisor is gone; this process will end too.
  }
}
