/** A space from the shell: `takespace write`, `read` and `take`, and `takespace doctor`, on a real Redis. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { defineEntry, openSpace } from '../../src/index.js'
import { steppedClock } from '../support/clock.js'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'

let redis: Redis
beforeAll(async () => {
  redis = await startRedis({ appendonly: true, args: ['--maxmemory', '100mb'] })
})
afterAll(() => redis.stop())

async function run(args: string[], url = redis.url): Promise<{ code: number | null; output: string }> {
  const process = startProcess(['takespace', ...args], { env: { TAKESPACE_URL: url } })
  const { code } = await process.exited
  return { code, output: process.output().trim() }
}

describe('read, take and write', () => {
  test('what one command writes, another reads, a third takes, and then it is gone', async () => {
    const written = await run([
      'write',
      'Job',
      'id=j1',
      'size=3',
      'tags=["a"]',
      'zip="3"',
      'note=a=b',
      '--priority',
      '-5',
    ])
    expect(written).toEqual({ code: 0, output: expect.stringMatching(/^written until \d{4}-/) })
    const fields = { id: 'j1', size: 3, tags: ['a'], zip: '3', note: 'a=b' }
    const read = await run(['read', 'Job', 'size=3', '--json'])
    expect(JSON.parse(read.output)).toMatchObject({ kind: 'Job', priority: -5, fields })
    expect((await run(['read', 'Job', 'size="3"'])).code).toBe(1)
    const taken = await run(['take', 'Job', '{"id":"j1","zip":"3"}'])
    expect(taken).toEqual({ code: 0, output: `Job ${JSON.stringify(fields)}` })
    expect(await run(['take', 'Job'])).toEqual({ code: 1, output: 'takespace: No entry matches.' })
    expect(await run(['take', 'Job', '--json'])).toEqual({ code: 1, output: 'null' })
  })

  test('they meet programs: entries of a kind with an index, and a take that waits', async () => {
    const space = await openSpace(redis.url, { name: 'shop' })
    const Order = defineEntry<{ id: string; customer: string }>('Order', { index: ['id'] })
    await space.write(Order({ id: 'o1', customer: 'c1' }))
    for (const template of [['id=o1'], ['customer=c1'], []]) {
      const { output } = await run(['read', 'Order', ...template, '--name', 'shop', '--json'])
      expect(JSON.parse(output)).toMatchObject({ fields: { id: 'o1', customer: 'c1' } })
    }
    const any = await run(['take', '*', '--name', 'shop', '--json'])
    expect(JSON.parse(any.output).kind).toBe('Order')
    const waiting = space.take(Order)
    await run(['write', 'Order', 'id=o2', 'customer=c2', '--name', 'shop'])
    expect(await waiting).toEqual({ id: 'o2', customer: 'c2' })
    await space.close()
  })

  test('ls lists what all processes have left alone, and what there is after a step of the clock', async () => {
    const clock = steppedClock()
    const left = await startRedis({ env: clock.env })
    try {
      const space = await openSpace(left.url)
      await space.write(defineEntry<{ id: string }>('Order')({ id: 'o1' }))
      clock.step(10_000)
      expect(await run(['ls', 'Order'], left.url)).toEqual({ code: 0, output: expect.stringContaining('"o1"') })
      await space.close()
      clock.step(20_000)
      expect(await run(['ls', 'Order'], left.url)).toEqual({ code: 0, output: expect.stringContaining('"o1"') })
    } finally {
      await left.stop()
      clock.remove()
    }
  })

  test('ls lists the kinds, and the entries of one, and takes nothing', async () => {
    const space = await openSpace(redis.url, { name: 'listed' })
    const Order = defineEntry<{ id: string; customer: string }>('Order', { index: ['id'] })
    const Big = Order.extend<{ size: number }>('BigOrder')
    for (let i = 0; i < 120; i++)
      await space.write(i % 2 ? Order({ id: `o${i}`, customer: 'c' }) : Big({ id: `o${i}`, customer: 'd', size: i }))
    expect((await run(['ls', '--name', 'listed'])).output).toMatch(/^120 {2}Order$/m)
    const listed = await run(['ls', 'Order', 'customer=d', '--max', '51', '--name', 'listed', '--json'])
    const lines = listed.output.split('\n').map((line) => JSON.parse(line))
    expect(lines).toHaveLength(51)
    expect(lines[50]).toMatchObject({ kind: 'BigOrder', fields: { id: 'o100', customer: 'd', size: 100 } })
    expect((await run(['ls', 'BigOrder', 'id=o2', '--name', 'listed'])).output).toMatch(/BigOrder \{"id":"o2"/)
    expect((await run(['ls', 'Order', '--max', '1000', '--name', 'listed'])).output.split('\n')).toHaveLength(120)
    expect(await run(['ls', 'Nothing', '--name', 'listed'])).toEqual({ code: 0, output: '' })
    await space.close()
  })

  test.each<[string[], RegExp]>([
    [['write', 'Job', 'size'], /name=value/],
    [['write', 'Job', '{"a":'], /not JSON/],
    [['read'], /missing required argument 'kind'/],
    [['read', 'Job', '--wait-ms', 'long'], /--wait-ms.*integer/],
    [['write', 'Job', '--url', 'memory:'], /one process/],
  ])('%j is refused in one line', async (args, says) => {
    const { code, output } = await run(args)
    expect(code).toBe(2)
    expect(output.split('\n')).toHaveLength(1)
    expect(output).toMatch(says)
  })
})

describe('doctor', () => {
  interface Check {
    readonly check: string
    readonly status: string
    readonly found: string
    readonly todo: string
  }
  const examine = async (url: string): Promise<[number | null, Record<string, Check>]> => {
    const { code, output } = await run(['doctor', '--json'], url)
    const checks: Check[] = JSON.parse(output)
    for (const { status, todo } of checks) expect(todo === '').toBe(status === 'ok')
    return [code, Object.fromEntries(checks.map((check) => [check.check, check]))]
  }

  test('a server that is well', async () => {
    await run(['read', 'Job'])
    const [code, checks] = await examine(redis.url)
    expect(code).toBe(0)
    expect(Object.keys(checks)).toEqual([
      'version',
      'role',
      'policy',
      'AOF',
      'maxmemory',
      'functions',
      'rights',
      'clock',
      'latency',
      'connections',
    ])
    const { latency: _depends, ...others } = checks
    expect(Object.values(others).map(({ status }) => status)).toEqual(Array(9).fill('ok'))
    expect(checks.functions?.found).toMatch(/^takespace_[0-9a-f]{12} is loaded$/)
  })

  test('a server that is not: each thing with what to do', async () => {
    const ill = await startRedis({
      args: ['--maxmemory', '4mb', '--maxmemory-policy', 'allkeys-lru', '--maxclients', '3'],
    })
    const [code, checks] = await examine(ill.url)
    expect(code).toBe(1)
    expect(checks.policy).toMatchObject({
      status: 'fail',
      found: 'allkeys-lru',
      todo: expect.stringMatching(/noeviction/),
    })
    expect(checks.AOF).toMatchObject({ status: 'warn', found: 'off', todo: expect.stringMatching(/appendonly yes/) })
    expect(checks.functions?.found).toMatch(/loaded by the first process/)
    expect(await ill.cli('FUNCTION', 'LIST')).not.toMatch(/takespace/)
    const table = await run(['doctor'], ill.url)
    expect(table.output).toMatch(/^fail {2}policy {8}allkeys-lru {2}→ Set maxmemory-policy to noeviction/m)
    await ill.stop()
  })

  test('an address that is none is not looked for', async () => {
    for (const url of ['redis:/x', 'http://127.0.0.1', 'localhost:6379', 'redis://x:99999', 'redis://:s3cret@']) {
      const [code, { address }] = await examine(url)
      expect(code).toBe(1)
      const found = expect.stringMatching(/address is not understood. Use redis:\/\//)
      expect(address).toMatchObject({ status: 'fail', found, todo: 'Give the right address with --url.' })
      expect(address?.found).not.toMatch(/s3cret/)
    }
  })

  test('no server, and one that refuses', async () => {
    const [code, { connection }] = await examine('redis://:s3cret@127.0.0.1:1')
    expect(code).toBe(1)
    expect(connection).toMatchObject({
      status: 'fail',
      found: expect.stringMatching(/cannot be reached.*ECONNREFUSED/),
    })
    const guarded = await startRedis({ args: ['--requirepass', 'right'] })
    const [, refused] = await examine(`redis://:s3cret@127.0.0.1:${guarded.port}`)
    expect(refused.connection?.found).toMatch(/Check user, password/)
    await guarded.stop()
  })
})

failOnLeaks()
