/** The position of an error in an app file: the app's lines of the stack, or file and line of a syntax error. */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { isOwnFile } from './hooks.js'
import { isFile } from './project.js'
import { parseError, TRANSPILED } from './transpile.js'

const MOST_FRAMES = 10
/** Maximum number of files that are searched for a syntax error. */
const MOST_FILES = 1_000

/** Maximum depth of causes in a message. */
const MOST_CAUSES = 3

/**
 * Returns the message of a thrown value with those of its causes and of an AggregateError's errors: the cause of Node's
 * "fetch failed" is the refused connection, and a refused connection to `localhost` has no message of its own.
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

/** Returns the position of a syntax error, or the app's frames of the stack; [] without either. */
export function whereFailed(error: unknown, file: string): string[] {
  if (!(error instanceof Error)) return []
  const stack = (error.stack ?? '').replaceAll(/file:\/\/[^\s):]+/g, (url) => fileURLToPath(url))
  const [head = '', ...frames] = stack.split('\n')
  // The stack of a SyntaxError begins with the position, in Node.js with the line.
  if (/^\/.*:\d+$/.test(head))
    return stack
      .split(/\n\s+at /)[0]!
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.trim() !== '')
  const ofApp = frames.filter(isOfApp).map((frame) => frame.trim())
  // A CommonJS file is required by its facade, an ES module of the same name.
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

/** Node.js reports neither file nor line of a syntax error in an ES module; the transpiler's parser does. */
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
