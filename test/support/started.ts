/** Command lines of a test file, our own and those of other builds, that are ended with their children after each test. */
import { afterEach } from '@jest/globals'
import { type Process, startProcess } from './process.js'

export type Start = (cli: string, args: readonly string[], env?: Readonly<Record<string, string>>) => Process

/** `url`: of their space. */
export function startedCommands(url: () => string): Start {
  const processes: Process[] = []
  afterEach(() => {
    for (const { pid } of processes.splice(0)) {
      try {
        process.kill(-pid, 'SIGKILL')
      } catch {
        // It has ended.
      }
    }
  })
  return (cli, args, env = {}) => {
    const started = startProcess([cli, ...args], { env: { TAKESPACE_URL: url(), ...env } })
    processes.push(started)
    return started
  }
}
