/**
 * What the image promises, without Docker: the entrypoint as process 1 of its own process table, as uid 1000, on a root that it
 * cannot write, drains under load and leaves no zombie.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { isLong, show } from '../faults/form.js'
import { failOnLeaks } from '../support/leaks.js'
import { startLoad } from '../support/load.js'
import { freePort } from '../support/port.js'
import { type Process, startProcess } from '../support/process.js'
import { commandOf } from '../support/programs.js'
import { type Redis, startRedis } from '../support/redis.js'
import { pathOf } from '../support/repository.js'
import { scratch } from '../support/scratch.js'
import { until } from '../support/until.js'

const { folder } = scratch('container')
const UID = '1000'
const APP = pathOf('test/deploy/orphaning.js')
const PROGRAM = pathOf('dist/src/cli/main.js')
const PER_SECOND = 200

const succeeds = (command: string, args: readonly string[]): boolean => spawnSync(command, args).status === 0
/** Needs root, for the mounts; and files that the other user may read. */
const canContain = (): boolean =>
  isLong &&
  process.getuid?.() === 0 &&
  succeeds('unshare', ['-fpm', '--mount-proc', 'true']) &&
  succeeds('setpriv', [`--reuid=${UID}`, `--regid=${UID}`, '--clear-groups', process.execPath, PROGRAM, '--version'])

/** Mounts: everything read-only but a /tmp of its own. Then it becomes the user, and the command, process 1. */
const CONTAIN = `mount --make-rprivate / && mount -o remount,bind,ro / && mount -t tmpfs -o mode=1777 tmpfs "$TMPDIR" &&
  ! touch /written 2>/dev/null && exec setpriv --reuid=${UID} --regid=${UID} --clear-groups "$@"`

interface Container {
  readonly process: Process
  /** The pid of process 1, here. */
  readonly init: number
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
const stateOf = (pid: number): string =>
  / ([A-Z]) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/\(.*\)/, ''))![1]!
const zombiesOf = ({ init }: Container): number[] =>
  childrenOf(init).filter((pid) => existsSync(`/proc/${pid}`) && stateOf(pid) === 'Z')

;(canContain() ? describe : describe.skip)('a container', () => {
  let redis: Redis
  const running: Container[] = []
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterEach(async () => {
    for (const { init, process: outer } of running.splice(0)) {
      if (existsSync(`/proc/${init}`)) process.kill(init, 'SIGKILL')
      await outer.exited
    }
  })
  afterAll(() => redis?.stop())

  async function start(
    command: readonly string[],
    ready: RegExp,
    init: readonly string[] = [commandOf('tini'), '--'],
  ): Promise<Container> {
    const tmp = join(folder, `tmp${running.length}`)
    mkdirSync(tmp, { recursive: true })
    const args = ['-fpm', '--mount-proc', 'sh', '-c', CONTAIN, 'sh', ...init, process.execPath, PROGRAM, ...command]
    const outer = startProcess(['unshare', ...args], { env: { TAKESPACE_URL: redis.url, TMPDIR: tmp } })
    await outer.line(ready)
    const container = { process: outer, init: childrenOf(outer.pid)[0]! }
    running.push(container)
    return container
  }
  const startGateway = (port: number): Promise<Container> =>
    start(['gateway', '--port', String(port), '--drain-delay-ms', '3000'], /"msg":"listening"/)
  const startWorker = (init?: readonly string[]): Promise<Container> =>
    start(['worker', APP, '--processes', '2'], /worker process is ready.*worker process is ready/s, init)

  async function stop({ process: outer, init }: Container): Promise<void> {
    process.kill(init, 'SIGTERM')
    expect(await outer.exited).toEqual({ code: 0, signal: null })
  }

  test('runs as process 1, as a user that is not root', async () => {
    const { init } = await startWorker()
    const status = readFileSync(`/proc/${init}/status`, 'utf8')
    expect(status).toMatch(/^NSpid:\s+\d+\s+1$/m)
    expect(status).toMatch(/^Uid:\s+1000\s+1000\s+1000\s+1000$/m)
    expect(status).toMatch(/^Name:\s+tini$/m)
  })

  test('workers are replaced, and then the gateway stops, under load: no request is lost', async () => {
    const port = await freePort()
    const gateway = await startGateway(port)
    let workers = await startWorker()
    const load = startLoad(`http://127.0.0.1:${port}`, { perSecond: PER_SECOND, method: 'GET', path: () => '/' })
    await until(() => load.answers.length > PER_SECOND, 'requests are answered')
    for (let i = 0; i < 2; i++) {
      const next = await startWorker()
      await stop(workers)
      workers = next
    }
    const seen = load.answers.length
    const stopped = stop(gateway)
    await until(() => load.answers.length > seen + PER_SECOND, 'the gateway serves while it drains')
    const answers = await load.stop()
    await stopped
    expect(answers.filter(({ status }) => status !== 200)).toEqual([])
    show('as process 1 of a container, stopped under load', { requests: answers.length, lost: 0 })
  })

  /** Has orphans end; resolves when they have. */
  async function orphan(workers: Container): Promise<void> {
    const port = await freePort()
    await startGateway(port)
    for (let i = 0; i < 5; i++) await (await fetch(`http://127.0.0.1:${port}/orphan`)).text()
    const isOver = (pid: number): boolean => !existsSync(`/proc/${pid}`) || stateOf(pid) === 'Z'
    const orphans = (): number[] =>
      childrenOf(workers.init).filter(
        (pid) => existsSync(`/proc/${pid}`) && /sleep/.test(readFileSync(`/proc/${pid}/stat`, 'utf8')),
      )
    await until(() => orphans().every(isOver), 'the orphans have ended')
  }

  test('orphans of the app are reaped by tini', async () => {
    const workers = await startWorker()
    await orphan(workers)
    await until(() => zombiesOf(workers).length === 0, 'there is no zombie')
    await stop(workers)
  })

  test('without tini they would be zombies', async () => {
    const workers = await startWorker([])
    await orphan(workers)
    expect(zombiesOf(workers).length).toBeGreaterThan(0)
  })
})

failOnLeaks()
