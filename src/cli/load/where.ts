/** Where an app file failed while it was loaded: the lines of its stack that are of the app, and for what does not parse, file and line. */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { isOwnFile } from './hooks.js'
import { isFile } from './project.js'
import { parseError, TRANSPILED } from './transpile.js'

const MOST_FRAMES = 10
/** Files that are looked through for the one that does not parse. */
const MOST_FILES = 1_000

/** An error of an error of an error says enough. */
const MOST_CAUSES = 3

/**
 * Returns what a thrown value says, with its causes and the parts of an AggregateError: Node's "fetch failed" has the refused connection as its
 * cause, and the error of a refused connection to `localhost` has no message of its own.
 */
export function reasonIn(thrown: unknown, depth = 0): string {
  if (typeof thrown !== 'object' || thrown === null) return String(thrown)
  const { message, code, cause, errors } = thrown as {
    message?: unknown
    code?: unknown
    cause?: unknown
    errors?: unknown
  }
  const own = String(message || code || inspect(thrown, { depth: 1, breakLength: Number.POSITIVE_INFINITY }))
  if (depth === MOST_CAUSES) return own
  const causes = [...(Array.isArray(errors) ? errors : []), ...(cause === undefined || cause === null ? [] : [cause])]
  const because = causes.map((each) => reasonIn(each, depth + 1)).filter((text) => !own.includes(text))
  return because.length > 0 ? `${own} (${because.join('; ')})` : own
}

/** Returns lines for a person: where the file does not parse, or the frames that led to `error`; [] if it says nothing. */
export function whereFailed(error: unknown, file: string): string[] {
  if (!(error instanceof Error)) return []
  const stack = (error.stack ?? '').replaceAll(/file:\/\/[^\s):]+/g, (url) => fileURLToPath(url))
  const [head = '', ...frames] = stack.split('\n')
  // Node and the transpiler begin the stack of a SyntaxError with the place, and Node shows the line.
  if (/^\/.*:\d+$/.test(head))
    return stack
      .split(/\n\s+at /)[0]!
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.trim() !== '')
  const ofApp = frames.filter(isOfApp).map((frame) => frame.trim())
  // A CommonJS file is required by an ES module that stands for it, under the same name.
  const required = ofApp.flatMap((frame) => /^at Object\.<anonymous> \((.*):\d+:\d+\)$/.exec(frame)?.[1] ?? [])
  const isFacade = (frame: string): boolean => required.some((path) => frame.startsWith(`at <anonymous> (${path}:`))
  const own = ofApp.filter((frame) => !isFacade(frame)).slice(0, MOST_FRAMES)
  if (own.length > 0 || error.name !== 'SyntaxError') return own
  const place = unparsed(resolve(file))
  return place ? [place] : []
}

function isOfApp(frame: string): boolean {
  const path = /(?:\(|at |async )(\/[^()]*?):\d+:\d+\)?$/.exec(frame)?.[1]
  return path !== undefined && isOwnFile(path)
}

/** Node tells neither file nor line of an ES module that does not parse; the transpiler's parser does. */
function unparsed(entry: string): string | undefined {
  const files = new Set([entry])
  for (const path of files) {
    if (TRANSPILED.test(path) || !isFile(path)) continue
    const source = readFileSync(path, 'utf8')
    const error = parseError(source)
    if (error) return `at ${path}:${error.line}`
    for (const [, specifier = ''] of source.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)) {
      if (files.size < MOST_FILES) files.add(resolve(dirname(path), specifier))
    }
  }
  return undefined
}
