/** A real process of our command line, or of any script, with its output at hand. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { MOST_MS } from './until.js'
import { forget, watch } from './watchdog.js'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Process {
  readonly pid: number
  /** All it wrote so far, standard output and error as they came. */
  output(): string
  /** Resolves as soon as the output matches, also what it wrote before; rejects, with the output, if it exits first. */
  line(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>
  /** Writes to its standard input, if it has one. */
  write(text: string): void
  /** Signals the process itself, not those that it started. */
  kill(signal?: NodeJS.Signals): void
  readonly exited: Promise<Exit>
}

const CLI = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What the developer's shell or Jest has set must not steer what is tested, least of all towards a Redis of somebody's. */
const FOREIGN = /^(TAKESPACE_.*|REDIS_URL|PORT|LOG_LEVEL|NODE_ENV|NODE_OPTIONS|JEST_WORKER_ID)$/

function environment(more: Record<string, string>): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name))
  return { ...Object.fromEntries(own), ...more }
}

/** `takespace` stands for our own built command line, a file ending in `js` is run by this Node; anything else by its name. */
function commandOf([first = '', ...rest]: readonly string[]): [string, string[]] {
  if (first === 'takespace') return [process.execPath, [CLI, ...rest]]
  return /\.[cm]?js$/.test(first) ? [process.execPath, [first, ...rest]] : [first, rest]
}

export function startProcess(
  command: readonly string[],
  options: { readonly env?: Record<string, string>; readonly cwd?: string; readonly hasInput?: true } = {},
): Process {
  const [file, args] = commandOf(command)
  const child = spawn(file, args, {
    cwd: options.cwd ?? ROOT,
    env: environment(options.env ?? {}),
    // A group of its own, so that the processes which it starts can be found and ended with it.
    detached: true,
    stdio: [options.hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  })
  const { pid } = child
  let output = ''
  const lookers = new Set<() => void>()
  const look = (): void => {
    for (const looker of lookers) looker()
  }
  const hear = (chunk: string): void => {
    output += chunk
    look()
  }
  child.stdout!.setEncoding('utf8').on('data', hear)
  child.stderr!.setEncoding('utf8').on('data', hear)

  let over: Exit | undefined
  const exited = new Promise<Exit>((resolve) => {
    const end = (exit: Exit): void => {
      if (pid !== undefined) forget(pid)
      over ??= exit
      resolve(over)
      look()
    }
    child.on('error', (error) => {
      output += String(error)
      if (pid === undefined) end({ code: null, signal: null })
    })
    // 'close' would wait for whoever inherited the output; the exit is what tests ask about.
    child.on('exit', (code, signal) => setImmediate(end, { code, signal }))
  })
  if (pid !== undefined) watch(pid, command.join(' '))

  const line = (pattern: RegExp, timeoutMs = MOST_MS): Promise<RegExpMatchArray> =>
    new Promise((resolve, reject) => {
      const end = (act: () => void): void => {
        clearTimeout(timer)
        lookers.delete(check)
        act()
      }
      const fail = (why: string): void =>
        end(() => reject(new Error(`${command.join(' ')} ${why} before it wrote ${pattern}. Its output:\n${output}`)))
      const check = (): void => {
        const match = output.match(pattern)
        if (match) end(() => resolve(match))
        else if (over) fail(`ended (${over.signal ?? over.code})`)
      }
      const timer = setTimeout(() => fail(`let ${timeoutMs} ms pass`), timeoutMs)
      lookers.add(check)
      check()
    })

  return {
    pid: pid ?? -1,
    output: () => output,
    line,
    write: (text) => void child.stdin?.write(text),
    kill: (signal = 'SIGTERM') => void child.kill(signal),
    exited,
  }
}
