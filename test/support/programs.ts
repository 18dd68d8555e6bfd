/** The programs of a deploy that `.ci/programs.mjs` has found: nginx, HAProxy, Caddy, Prometheus, tini. */
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from '@jest/globals'
import { type Process, startProcess } from './process.js'
import { MEMORY_ONLY } from './redis.js'
import { pathOf } from './repository.js'

export type ProgramName = 'nginx' | 'haproxy' | 'caddy' | 'prometheus' | 'promtool' | 'tini'

interface Program {
  readonly command: string
  readonly libraryPath: string
}

const RECORD = pathOf('.cache/programs/programs.json')
const found: Partial<Record<ProgramName, Program>> =
  !MEMORY_ONLY && existsSync(RECORD) ? JSON.parse(readFileSync(RECORD, 'utf8')) : {}

const areThere = (names: readonly ProgramName[]): boolean => names.every((name) => found[name])

export const hasProgram = (name: ProgramName): boolean => areThere([name])

/** Tests that are left out where a program is missing; in CI that is an error. */
export const describeWith = (names: readonly ProgramName[], what: string, tests: () => void): void =>
  (areThere(names) ? describe : describe.skip)(what, tests)
export const testWith = (names: readonly ProgramName[], what: string, run: () => Promise<void>): void =>
  (areThere(names) ? test : test.skip)(what, run)

export const commandOf = (name: ProgramName): string => found[name]!.command

/** Starts one with these arguments. */
export function startProgram(
  name: ProgramName,
  args: readonly string[],
  more: { readonly env?: Record<string, string>; readonly cwd?: string } = {},
): Process {
  const { command, libraryPath } = found[name]!
  return startProcess([command, ...args], {
    ...more,
    env: { ...(libraryPath && { LD_LIBRARY_PATH: libraryPath }), ...more.env },
  })
}
