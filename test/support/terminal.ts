/** A command on a real terminal, by `script`, which is part of every Debian. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Process, startProcess } from './process.js'

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))

export const hasTerminal = spawnSync('script', ['--version']).status === 0 && existsSync('/dev/ptmx')

/** Starts our command line on a terminal of 160 columns, whose keys are what is written to it. */
export const startOnTerminal = (...args: readonly string[]): Process =>
  startProcess(
    ['script', '-qfec', `stty rows 24 columns 160; ${[process.execPath, MAIN, ...args].join(' ')}`, '/dev/null'],
    { hasInput: true },
  )

/** Returns the lines of the last picture. */
export const shownOn = (terminal: Process): string =>
  (terminal.output().split('\u001b[H').at(-1) ?? '').replaceAll('\u001b[K', '').replaceAll('\r', '')
