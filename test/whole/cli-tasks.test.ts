/** Tasks from the shell: a worker of tasks, `takespace enqueue`, `takespace scheduler`, `takespace dead`, as real processes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Queue } from 'bullmq'
import { readFields, readJson } from '../../src/cli/commands/fields.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const TASKS = `
export const tasks = {
  double: (n) => n * 2,
  greet: async ({ name }, { progress }) => {
    await progress('greeting ' + name)
    return 'hello ' + name
  },
  sometimes: (input, { attempt }) => {
    if (input.always || attempt < 2) throw Object.assign(new Error('not the ' + attempt + '. time'), { code: 'E_NOT' })
    return attempt
  },
}
`

const folder = mkdtempSync(join(tmpdir(), 'takespace-tasks-'))
const file = join(folder, 'tasks.mjs')
let redis: Redis
const running: Process[] = []
beforeAll(async () => {
  writeFileSync(file, TASKS)
  redis = await startRedis()
  await started(['worker', file], /"msg":"ready"|the worker takes requests/)
  await started(['scheduler', '--from-queue', 'emails,orders'], /"msg":"ready"/)
})
afterAll(async () => {
  for (const process of running) process.kill()
  expect(await Promise.all(running.map(({ exited }) => exited))).toEqual(running.map(() => ({ code: 0, signal: null })))
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function started(command: string[], ready: RegExp): Promise<Process> {
  const process = startProcess(['takespace', ...command], { env: { TAKESPACE_URL: redis.url } })
  running.push(process)
  await process.line(ready)
  return process
}

async function shell(...command: string[]): Promise<{ code: number | null; output: string }> {
  const process = startProcess(['takespace', ...command], { env: { TAKESPACE_URL: redis.url } })
  const { code } = await process.exited
  return { code, output: process.output().trim() }
}

test('enqueue prints the ticket, or with --wait the result', async () => {
  const { code, output } = await shell('enqueue', 'double', '21')
  expect([code, output]).toEqual([0, expect.stringMatching(/^[\w-]+$/)])
  expect(await shell('enqueue', 'double', '21', '--wait')).toEqual({ code: 0, output: '42' })
  const { output: json } = await shell('enqueue', 'greet', '{"name":"Ada"}', '--wait', '--json')
  expect(JSON.parse(json)).toEqual({ ticket: expect.any(String), result: 'hello Ada' })
  const begun = Date.now()
  expect(await shell('enqueue', 'double', '1', '--delay', '1.5s', '--wait')).toEqual({ code: 0, output: '2' })
  expect(Date.now() - begun).toBeGreaterThan(1_500)
  const first = await shell('enqueue', 'double', '4', '--key', 'k1')
  expect(await shell('enqueue', 'double', '4', '--key', 'k1')).toEqual(first)
  expect((await shell('enqueue', 'double', '5', '--key', 'k1')).output).toMatch(
    /^takespace: This idempotency key was used/,
  )
})

test('a wrong command line is said so', async () => {
  expect(await shell('enqueue', 'double', '--delay', 'soon')).toMatchObject({ code: 2 })
  expect(await shell('scheduler', '--from-queue', 'a:b')).toMatchObject({ code: 2 })
  expect(await shell('scheduler', '--url', 'memory:')).toMatchObject({ code: 2 })
  expect((await shell('dead', 'show', 'nobody')).output).toBe('takespace: There is no dead letter nobody.')
})

test('an input that is not JSON is refused with how to quote it, and nothing is enqueued', async () => {
  const { code, output } = await shell('enqueue', 'double', '{"width": 10', '--key', 'broken')
  expect([code, output]).toEqual([2, expect.stringMatching(/^takespace: .*not JSON.*'\{"width":10\}'.*'"text"'/)])
  expect((await shell('enqueue', 'greet', '{"name":"Bo"}', '--key', 'broken', '--wait')).output).toBe('hello Bo')
})

test.each(['[1,2', '{width: 10}', '"text', "{'a':1}", 'hello', '', 'undefined', '01'])('%s is not JSON', (text) => {
  expect(() => readJson(text)).toThrow(/It is not JSON/)
})

test('a field of an entry may be a bare text, but no broken object, list or text', () => {
  const fields = ['type=resize', 'size=3', 'id="3"', 'list=[1]'].reduce((all, text) => readFields(text, all), {})
  expect(fields).toEqual({ type: 'resize', size: 3, id: '3', list: [1] })
  for (const text of ['list=[1', 'note={a', 'id="3', '{"id":']) expect(() => readFields(text)).toThrow(/It is not JSON/)
})

test('attempts are made as asked; what fails for good is listed, shown, enqueued again and dropped', async () => {
  const again = ['--attempts', '2', '--backoff', '10ms', '--wait']
  expect(await shell('enqueue', 'sometimes', '{}', ...again)).toEqual({ code: 0, output: '2' })
  expect(await shell('dead', 'ls')).toEqual({ code: 0, output: '' })
  const failed = await shell('enqueue', 'sometimes', '{"always":true}', ...again, '--json')
  expect(failed.code).toBe(1)
  expect(JSON.parse(failed.output).error).toEqual({ name: 'Error', message: 'not the 2. time', code: 'E_NOT' })
  expect((await shell('enqueue', 'sometimes', '{}', '--wait')).output).toMatch(/^takespace: The task failed.*not the 1/)

  const lines = (await shell('dead', 'ls', '--json')).output.split('\n').map((line) => JSON.parse(line))
  expect(lines).toMatchObject([
    { task: 'sometimes', reason: 'failed', attempts: 2, error: { message: 'not the 2. time' } },
    { task: 'sometimes', reason: 'failed', attempts: 1, error: { message: 'not the 1. time' } },
  ])
  const [two, one] = lines
  expect((await shell('dead', 'ls')).output).toContain(
    `${two.id}  sometimes  failed, attempts: 2  Error: not the 2. time`,
  )
  expect(JSON.parse((await shell('dead', 'show', two.id)).output)).toMatchObject({
    id: two.id,
    input: { always: true },
  })
  // With all its attempts, so it fails after the second one, again.
  expect((await shell('dead', 'requeue', two.id)).output).toMatch(/is enqueued again, its ticket is/)
  const ids = async (): Promise<string[]> =>
    (await shell('dead', 'ls', '--json')).output.split('\n').flatMap((line) => (line ? [JSON.parse(line).id] : []))
  await until(async () => (await ids()).length === 2 && !(await ids()).includes(two.id), 'it to have failed again')
  expect((await shell('dead', 'drop', one.id)).code).toBe(0)
  expect((await shell('dead', 'drop', one.id)).code).toBe(1)
  expect(await ids()).toHaveLength(1)
  expect((await shell('ls', 'takespace.DeadLetter')).output).toContain('"path":"sometimes"')
  const state = await shell('ticket', JSON.parse(failed.output).ticket)
  expect(state).toMatchObject({ code: 0, output: expect.stringContaining('failed, attempt 2  Error: not the 2. time') })
  // A choice handles all that it means, and no other.
  expect((await shell('dead', 'drop')).code).toBe(2)
  expect(await shell('dead', 'drop', '--task', 'others')).toEqual({ code: 0, output: '0 removed' })
  expect(await shell('dead', 'drop', '--task', 'sometimes', '--reason', 'failed')).toEqual({
    code: 0,
    output: '1 removed',
  })
  expect(await ids()).toEqual([])
})

test('examples/tasks.js does what it says', async () => {
  await started(['worker', 'examples/tasks.js', '--service', 'examples'], /the worker takes requests/)
  const wait = ['--service', 'examples', '--wait', '--json']
  const result = async (...args: string[]): Promise<unknown> =>
    JSON.parse((await shell('enqueue', ...args, ...wait)).output)
  expect(await result('resize', '{"width":3}')).toMatchObject({ result: { ok: true, area: 9 } })
  expect(await result('flaky', '--attempts', '3')).toMatchObject({ result: 'attempt 3 succeeded' })
  expect(await result('invite', '{"user":"ada"}', '--attempts', '2')).toMatchObject({ result: 'ada is invited' })
  expect(await result('invite', '{"user":"nobody"}')).toMatchObject({ error: { message: 'there is no such user' } })
})

test("a BullMQ producer's queue is served as it is", async () => {
  const connection = { port: redis.port }
  const queue = new Queue('orders', { connection })
  try {
    const { id } = await queue.add('double', 8, { removeOnComplete: { count: 10 } })
    // The job itself, and not an event of it: BullMQ listens a moment after it says that it does, and this takes 15 ms.
    await until(async () => (await queue.getJob(id!))?.finishedOn !== undefined, 'the job to be done')
    expect((await queue.getJob(id!))!.returnvalue).toBe(16)
  } finally {
    await queue.close()
  }
})

failOnLeaks()
