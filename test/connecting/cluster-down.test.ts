/** A Cluster that refuses all slots while one primary is away (`cluster-require-full-coverage yes`): calls get 503, and go on when it is back. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { defineEntry, openSpace } from '../../src/index.js'
import { ask, serving } from '../gateway/serving.js'
import { type Cluster, startCluster } from '../support/cluster.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { until } from '../support/until.js'

const Job = defineEntry<{ id: number }>('Job')
const KEY = '{ts:down}:m'

describeOnRedis('a Cluster that lacks a primary', () => {
  let cluster: Cluster
  beforeAll(async () => {
    const args = ['--cluster-require-full-coverage', 'yes']
    cluster = await startCluster({ replicas: 0, nodeTimeoutMs: 1_000, appendonly: true, args })
  })
  afterAll(() => cluster.stop())

  test('refuses with CLUSTERDOWN: the reason is told, and all is served when the primary is back', async () => {
    const url = `${cluster.url}?partitions=1`
    const space = await openSpace(url, { name: 'down', durability: 'local' })
    const { gateway, port } = await serving(() => ({ body: Buffer.from('done') }), { space })
    const owner = await cluster.ownerOf(KEY)
    const gone = (await cluster.primaries()).find(({ id }) => id !== owner.id)
    await gone?.kill()
    const refusal = (): Promise<string> => owner.cli('GET', KEY).catch((error: Error) => error.message)
    await until(async () => (await refusal()).startsWith('CLUSTERDOWN'), 'the Cluster refuses')
    const [answer, error] = await Promise.all([ask(port), space.write(Job({ id: 1 })).catch((error) => error)])
    expect(answer).toMatchObject({ status: 503, text: expect.stringContaining('SPACE_UNREACHABLE') })
    expect(error).toMatchObject({
      code: 'SPACE_UNREACHABLE',
      cause: { message: expect.stringMatching(/^CLUSTERDOWN/) },
    })
    const waiting = [ask(port), ask(port, { method: 'POST', body: 'x' })]
    await gone?.restart()
    for (const each of await Promise.all(waiting)) expect([200, 503]).toContain(each.status)
    await until(async () => (await ask(port)).status === 200, 'the Cluster serves again')
    await space.write(Job({ id: 2 }))
    expect(await space.take(Job)).toMatchObject({ id: 2 })
    await gateway.stop()
    await space.close()
  })
})

failOnLeaks()
