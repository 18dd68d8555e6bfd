/** Runs an app in one of the three ways, and gives its client script what it needs. */
import { freePort } from '../support/port.js'
import { type Process, startProcess } from '../support/process.js'
import { until } from '../support/until.js'
import type { App, Site, Way } from './app.js'
import { ask } from './ask.js'
import type { Records } from './records.js'

export interface Terms {
  readonly folder: string
  readonly data: string
  /** Address of a Redis server that only this command uses. */
  readonly redis: string
  readonly records: Records
}

export interface Running extends Site {
  /** Ends what is left. */
  end(): Promise<void>
  output(): string
}

export async function startSite(app: App, way: Way, { folder, data, redis, records }: Terms): Promise<Running> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const env = { DATA: data, REDIS_URL: redis, NODE_ENV: 'production', ...app.env }
  const name = `${app.name}-${port}`
  const own: Process[] = []
  const start = (command: readonly string[], more: Record<string, string> = {}): Process => {
    const process = startProcess(command, { cwd: folder, env: { ...env, ...more } })
    own.push(process)
    return process
  }
  const gatewayFlags = ['--port', String(port), ...(app.flags ?? [])]

  /** The processes that run the app, without the gateway. */
  const starters: Record<Way, () => Process> = {
    direct: () => start(app.direct ?? [process.execPath, app.file], { PORT: String(port) }),
    gateway: () => start(['takespace', 'worker', app.file, '--name', name, '--processes', String(app.processes)]),
    dev: () => start(['takespace', 'dev', app.file, ...gatewayFlags]),
  }
  const gateway = way === 'gateway' ? start(['takespace', 'gateway', '--name', name, ...gatewayFlags]) : undefined
  await gateway?.line(/"listening"/)
  let runner = starters[way]()
  const serves = async (): Promise<void> => {
    const isReady = async (): Promise<boolean> => {
      if (way === 'gateway' && workersOf(runner).length < app.processes) return false
      return (await ask(url, 'GET')).status !== 503
    }
    const ended = runner.exited.then(() => {
      throw new Error(`${app.name} ended before it served (${way}):\n${runner.output()}`)
    })
    await Promise.race([until(isReady, `${app.name} serves (${way})`), ended])
  }

  const end = async (): Promise<void> => {
    // The supervisor first: its processes end with it.
    for (const each of own.reverse()) {
      each.kill('SIGTERM')
      const stuck = setTimeout(() => each.kill('SIGKILL'), STUCK_MS)
      await each.exited
      clearTimeout(stuck)
    }
  }
  try {
    await serves()
  } catch (error) {
    await end()
    throw error
  }

  const site: Running = {
    way,
    url,
    folder,
    data,
    async ask(method, path, options = {}) {
      const answer = await ask(url + path, method, options)
      records.answer(options.as ?? `${method} ${path}`, answer, [
        [new RegExp(`(127\\.0\\.0\\.1|localhost):${port}`, 'g'), 'HOST'],
        [new RegExp(data, 'g'), 'DATA'],
        ...(options.mask ?? []),
      ])
      return answer
    },
    record: (name, value) => records.value(name, value),
    line: (pattern) => runner.line(pattern),
    async crash() {
      if (way === 'gateway') {
        const before = workersOf(runner)
        const victim = before.find(isAlive)
        if (victim === undefined) throw new Error('no process of the worker is alive')
        process.kill(victim, 'SIGKILL')
        await until(() => workersOf(runner).length > before.length, 'the successor is ready')
        return
      }
      runner.kill('SIGKILL')
      await runner.exited
      runner = starters[way]()
      await serves()
    },
    async stop() {
      runner.kill('SIGTERM')
      await runner.exited
      gateway?.kill('SIGTERM')
      await gateway?.exited
      return own.map((each) => each.output()).join('')
    },
    end,
    output: () => own.map((each) => each.output()).join(''),
  }
  return site
}

/** Longer than a stop of takespace waits for requests. */
const STUCK_MS = 15_000

/** Returns the processes that serve or have served, as the supervisor tells them. */
const workersOf = (supervisor: Process): number[] =>
  [...supervisor.output().matchAll(/"workerPid":(\d+).*"msg":"a worker process is ready"/g)].map(([, pid]) =>
    Number(pid),
  )

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
