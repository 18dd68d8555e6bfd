/** `takespace dev` as a process: from its start until it serves, and its end on a signal. */
import { expect } from '@jest/globals'
import { type Process, startProcess } from './process.js'

/** Resolves with the process and its URL, without a slash at the end, when it serves. */
export async function startDev(
  app: string,
  flags: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<[Process, string]> {
  const dev = startProcess(['takespace', 'dev', app, '--port', '0', ...flags], { env: { LOG_LEVEL: 'silent', ...env } })
  const [, url] = await dev.line(/Open\s+(http:\S+)\//)
  return [dev, url as string]
}

/** Has any process of the command line drain, which ends it with exit code 0. */
export async function end(process: Process): Promise<void> {
  process.kill('SIGTERM')
  expect(await process.exited).toEqual({ code: 0, signal: null })
}
