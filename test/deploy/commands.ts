/** The commands of takespace in the files of examples/deploy: their flags are compared with the command line. */
import { startProcess } from '../support/process.js'

const helps = new Map<string, Promise<string>>()

async function helpOf(command: string): Promise<string> {
  const help = startProcess(['takespace', command, '--help'])
  await help.exited
  return help.output()
}

/** A command of takespace: `['gateway', '--port', '8080']`. */
export type CommandLine = readonly string[]

/** Returns the flags that its command does not know. */
export async function unknownFlags([command = '', ...args]: CommandLine): Promise<string[]> {
  if (!helps.has(command)) helps.set(command, helpOf(command))
  const known = new Set((await helps.get(command)!).match(/--[\w-]+/g))
  return args.filter((arg) => arg.startsWith('--') && !known.has(arg))
}

const DEFAULTS: Readonly<Record<string, number>> = {
  '--drain-delay-ms': 0,
  '--keep-alive-ms': 65_000,
  '--timeout-ms': 30_000,
  '--stop-timeout-ms': 10_000,
}

/** Returns the value of a flag, or its default. */
export function flagValue(line: CommandLine, flag: string): number {
  const at = line.indexOf(flag)
  return at < 0 ? DEFAULTS[flag]! : Number(line[at + 1])
}

/** Returns how long a stop of the command may take. */
export const longestStopMs = (line: CommandLine): number =>
  line[0] === 'gateway'
    ? flagValue(line, '--drain-delay-ms') + flagValue(line, '--timeout-ms')
    : flagValue(line, '--stop-timeout-ms')
