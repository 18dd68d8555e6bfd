/** A command loads the packages that it needs, and no others: those of rare settings are imported when they are set. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { startRedis } from '../support/redis.js'
import { scratch } from '../support/scratch.js'

const LIST = new URL('children/list-imports.js', import.meta.url).href
const CLI = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))

const start = (args: readonly string[], env = {}): Process =>
  startProcess([process.execPath, '--import', LIST, CLI, ...args], { env })

async function loadedBy(process: Process): Promise<string[]> {
  await process.exited
  return [...process.output().matchAll(/^loaded (.*)$/gm)].map(([, name]) => name!).sort()
}

test.each(['--version', '--help', 'gateway --help'])('takespace %s loads few files, and no package', async (args) => {
  const loaded = await loadedBy(start(args.split(' ')))
  expect(loaded.filter((name) => !name.startsWith('chunks/'))).toEqual([])
  expect(loaded).toContain('chunks/settings.js')
  expect(loaded.length).toBeLessThan(18)
})

const { write } = scratch('start', [])
const app = write('app.mjs', 'export default (req, res) => res.end()')

/** For TypeScript, tracing, metrics, recurring tasks, pages of the admin port, and terminals. */
const RARE = ['@swc/core', '@opentelemetry/api', 'bullmq', 'cron-parser']
/** The files with the code of prom-client, Hono and pino-pretty. */
const RARE_FILES = ['chunks/metrics.js', 'chunks/server.js', 'chunks/pino-pretty.js']

test('a gateway and a worker load none of the packages of rare settings', async () => {
  const redis = await startRedis()
  const env = { TAKESPACE_URL: redis.url }
  const gateway = start(['gateway', '--port', '0'], env)
  const worker = startProcess([process.execPath, CLI, 'worker', app], {
    env: { ...env, NODE_OPTIONS: `--import ${LIST}` },
  })
  await Promise.all([gateway.line(/listening/), worker.line(/a worker process is ready/)])
  gateway.kill()
  worker.kill()
  const loaded = [...(await loadedBy(gateway)), ...(await loadedBy(worker))]
  await redis.stop()
  // Of the gateway, the supervisor and the worker process.
  expect(loaded.filter((name) => name === 'pino')).toHaveLength(3)
  expect(loaded.filter((name) => [...RARE, ...RARE_FILES].includes(name))).toEqual([])
  expect(RARE_FILES.filter((name) => !existsSync(new URL(`../../dist/${name}`, import.meta.url)))).toEqual([])
})

test('a worker whose space cannot be opened loads no app, and leaves with one line', async () => {
  const loud = write('loud.mjs', 'console.log("loaded"); export default (req, res) => res.end()')
  const worker = startProcess(['takespace', 'worker', loud, '--url', 'redis://127.0.0.1:1'])
  expect(await worker.exited).toEqual({ code: 1, signal: null })
  expect(worker.output().trim().split('\n')).toEqual([expect.stringMatching(/^takespace: .*Start a Redis/)])
})

failOnLeaks()
