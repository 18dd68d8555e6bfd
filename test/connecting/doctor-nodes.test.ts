/** `takespace doctor` looks at what stands beside the server of a space: its replicas, the other nodes of a Cluster. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Cluster, startCluster } from '../support/cluster.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { type Replica, type Replicas, startReplicas } from '../support/replicas.js'
import { until } from '../support/until.js'

interface Check {
  readonly check: string
  readonly status: 'ok' | 'warn' | 'fail'
  readonly found: string
  readonly todo: string
}

/** Returns the checks that doctor makes, by name. */
async function checksOf(url: string): Promise<ReadonlyMap<string, Check>> {
  const doctor = startProcess(['takespace', 'doctor', '--json', '--url', url])
  await doctor.exited
  return new Map((JSON.parse(doctor.output()) as Check[]).map((each) => [each.check, each]))
}

describeOnRedis('a server with replicas', () => {
  let replicas: Replicas
  let primary: Replica
  beforeAll(async () => {
    replicas = await startReplicas({ appendonly: true, password: 'secret', sentinelPassword: 'watch' })
    primary = await replicas.primary()
  })
  afterAll(() => replicas.stop())
  const check = async (name: string) => (await checksOf(primary.url.replace('://', '://:secret@'))).get(name)

  test('is asked for the replicas that it needs to accept writes', async () => {
    expect(await check('min-replicas')).toMatchObject({ status: 'warn', found: 'min-replicas-to-write 0' })
    await primary.cli('CONFIG', 'SET', 'min-replicas-to-write', '1')
    expect(await check('min-replicas')).toMatchObject({ status: 'ok', found: 'min-replicas-to-write 1', todo: '' })
    await primary.cli('CONFIG', 'SET', 'min-replicas-to-write', '3')
    expect(await check('min-replicas')).toMatchObject({ status: 'fail', todo: expect.stringContaining('NOREPLICAS') })
    await primary.cli('CONFIG', 'SET', 'min-replicas-to-write', '0')
  })

  test('is named with the replica whose file is off', async () => {
    expect(await check('AOF of all')).toMatchObject({ status: 'ok', found: 'on for 3 of 3 servers' })
    const [, other] = replicas.nodes
    await other?.cli('CONFIG', 'SET', 'appendonly', 'no')
    const off = await check('AOF of all')
    expect(off).toMatchObject({ status: 'warn', found: 'on for 2 of 3 servers' })
    expect(off?.todo).toContain(`appendonly yes on 127.0.0.1:${other?.port}`)
    await other?.cli('CONFIG', 'SET', 'appendonly', 'yes')
  })

  test('is found and judged with its Sentinels, of which a majority must be there', async () => {
    const sentinels = async () => (await checksOf(replicas.url)).get('Sentinels')
    const [first, second] = replicas.sentinels
    const all = await checksOf(replicas.url)
    expect(all.get('Sentinels')).toMatchObject({ status: 'ok', found: '3 of 3 answer, quorum 2, down after 1000 ms' })
    expect(all.get('AOF of all')).toMatchObject({ status: 'ok' })
    const some = (await checksOf(replicas.url.replace(/@[^,]*,/, '@'))).get('Sentinels')
    expect(some).toMatchObject({ status: 'warn', todo: expect.stringMatching(/^Name all 3 in the address/) })
    await first?.kill()
    expect(await sentinels()).toMatchObject({ status: 'warn', found: expect.stringMatching(/^2 of 3 answer/) })
    await second?.kill()
    await until(async () => (await sentinels())?.status === 'fail', 'no failover is possible')
    await Promise.all([first?.restart(), second?.restart()])
    await until(async () => (await sentinels())?.status === 'ok', 'the Sentinels are back')
  })

  test('is told of a replica that confirms nothing', async () => {
    expect(await check('replicas')).toMatchObject({ status: 'ok', found: expect.stringMatching(/^2, at most/) })
    const [, other] = replicas.nodes
    other?.pause()
    const lag = new RegExp(`port=${other?.port},.*lag=([4-9]|\\d\\d)`)
    await until(async () => lag.test(await primary.cli('INFO', 'replication')), 'the replica lags')
    expect(await check('replicas')).toMatchObject({ status: 'warn', todo: expect.stringContaining('in vain') })
    other?.resume()
  })
})

describeOnRedis('a Cluster', () => {
  let cluster: Cluster
  let url: string
  beforeAll(async () => {
    cluster = await startCluster({ appendonly: true, nodeTimeoutMs: 500 })
    url = (await cluster.ownerOf('{ts:default}:m')).url
  })
  afterAll(() => cluster.stop())

  test('is looked at as a whole', async () => {
    const checks = await checksOf(url)
    expect(checks.get('Cluster')).toMatchObject({ status: 'ok', found: expect.stringMatching(/^ok, 16384 of/) })
    expect(checks.get('replicas')).toMatchObject({ status: 'ok', found: expect.stringMatching(/^3, /) })
    expect(checks.get('AOF of all')).toMatchObject({ status: 'ok', found: 'on for 6 of 6 servers' })
  })

  test('is not passed over in silence if this user may not ask for its nodes', async () => {
    const node = cluster.nodes.find((each) => each.url === url)
    await node?.cli('ACL', 'SETUSER', 'observer', 'on', '>seen', '+@all', '-cluster', 'allkeys', 'allchannels')
    const told = (await checksOf(url.replace('://', '://observer:seen@'))).get('Cluster')
    expect(told).toMatchObject({ status: 'warn', found: 'unknown', todo: expect.stringContaining('CLUSTER NODES') })
    await node?.cli('ACL', 'DELUSER', 'observer')
  })

  test('that refuses all for the slots of one primary is advised not to', async () => {
    const [first] = await cluster.primaries()
    await first?.cli('CONFIG', 'SET', 'cluster-require-full-coverage', 'yes')
    const advice = { status: 'warn', todo: expect.stringContaining('cluster-require-full-coverage no') }
    expect((await checksOf(url)).get('Cluster')).toMatchObject(advice)
    await first?.cli('CONFIG', 'SET', 'cluster-require-full-coverage', 'no')
  })

  test('is named with the primary that has no replica left', async () => {
    const [other] = (await cluster.primaries()).filter((node) => node.url !== url)
    const replica = cluster.nodes.slice(3)[cluster.nodes.indexOf(other!)]
    await replica?.kill()
    await until(async () => /connected_slaves:0/.test((await other?.cli('INFO', 'replication')) ?? ''), 'it is missed')
    const advice = { status: 'warn', todo: expect.stringContaining(`Add a replica to 127.0.0.1:${other?.port}`) }
    const checks = await checksOf(url)
    expect(checks.get('replicas')).toMatchObject(advice)
    expect(checks.get('AOF of all')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining(`127.0.0.1:${replica?.port} not reached`),
    })
  })
})

failOnLeaks()
