/** The thread beside a worker process's main thread: while that stands still, it looks where, and writes it to the supervisor's pipe. */
import { writeSync } from 'node:fs'
import { type Debugger, Session } from 'node:inspector'
import { workerData } from 'node:worker_threads'
import type { BlockedLoop } from './ipc.js'

export interface InspectorTerms {
  /** [how often the main thread has beaten, 1 while a debugger looks at it] */
  readonly seen: Int32Array
  readonly fd: number
  /** Evaluated in the main thread: what it holds. */
  readonly expression: string
}

const { seen, fd, expression } = workerData as InspectorTerms

/** The main thread beats every 250 ms. Two looks without one are 600 ms, and no clock is asked: a machine that sleeps makes none of them. */
const LOOK_MS = 300
const LOOKS = 2
/** A main thread inside of native code pauses only when that is done; then nothing is said. */
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
      // One that has come back meanwhile was stopped on any line.
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
    // The supervisor has gone; this process ends, too.
  }
}
