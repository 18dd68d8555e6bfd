/** The tests' own primary, replicas and Sentinels do what the tests of failovers rely on. */
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals'
import { testInLongForm } from '../faults/long-form.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Replicas, startReplicas } from '../support/replicas.js'
import { command, dial } from '../support/resp.js'
import { until } from '../support/until.js'
import { survivors } from '../support/watchdog.js'

let replicas: Replicas
beforeAll(async () => {
  replicas = await startReplicas({ links: true, downAfterMs: 300 })
})
afterEach(async () => {
  replicas.healReplication()
  for (const node of replicas.nodes) node.resume()
})
afterAll(() => replicas.stop())

testInLongForm('one is the primary, the others follow it, and each Sentinel names it', async () => {
  const [first, ...others] = replicas.nodes
  expect(await replicas.primary()).toBe(first)
  expect(await Promise.all(replicas.nodes.map((node) => node.role()))).toEqual(['master', 'slave', 'slave'])
  await replicas.cli('SET', 'told', 'all')
  for (const other of others) await until(async () => (await other.cli('GET', 'told')) === 'all', 'a replica has it')
  const ports = replicas.sentinels.map(({ port }) => port)
  expect(replicas.url).toBe(`redis+sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/mymaster`)
  for (const port of ports) {
    expect(await command(port, ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster'])).toBe(`127.0.0.1\n${first?.port}`)
    expect(await command(port, ['SENTINEL', 'CKQUORUM', 'mymaster'])).toMatch(/^OK 3 usable/)
  }
})

testInLongForm('what is replicated can be lost while everything else passes', async () => {
  const primary = await replicas.primary()
  replicas.cutReplication()
  // On one connection: WAIT asks for what was written on its own.
  const client = dial(primary.port)
  expect(await client.ask('SET', 'lost', 'yes')).toBe('OK')
  expect(await client.ask('WAIT', '1', '50')).toBe('0')
  expect(await command(primary.port, ['GET', 'lost'])).toBe('yes')
  for (const other of replicas.nodes) if (other !== primary) expect(await other.cli('GET', 'lost')).toBe('')
  replicas.healReplication()
  expect(await client.ask('WAIT', '2', '0')).toBe('2')
  client.close()
  for (const other of replicas.nodes) expect(await other.cli('GET', 'lost')).toBe('yes')
})

testInLongForm('told to fail over, another one is the primary and all follow it', async () => {
  const old = await replicas.primary()
  const next = await replicas.failover()
  expect(next).not.toBe(old)
  expect(await replicas.primary()).toBe(next)
  await replicas.settled()
  expect(await old.role()).toBe('slave')
})

testInLongForm(
  'a primary that was killed is replaced, without what was lost before, and comes back as a replica',
  async () => {
    const old = await replicas.primary()
    replicas.cutReplication()
    await old.cli('SET', 'unheard', 'yes')
    await old.kill()
    await expect(command(old.port, ['PING'])).rejects.toThrow('ECONNREFUSED')
    const next = await replicas.promoted(old)
    replicas.healReplication()
    expect(await next.cli('GET', 'unheard')).toBe('')
    await old.restart()
    await replicas.settled()
    expect(await old.role()).toBe('slave')
  },
)

testInLongForm('a primary that was frozen is replaced and still takes it for its own when it wakes up', async () => {
  const old = await replicas.primary()
  old.pause()
  const next = await replicas.promoted(old)
  old.resume()
  expect(await command(old.port, ['SET', 'stale', 'yes'])).toBe('OK')
  expect(await next.cli('GET', 'stale')).toBe('')
  await replicas.settled()
  expect(await old.cli('GET', 'stale')).toBe('')
})

testInLongForm('asks for passwords, and leaves nothing behind', async () => {
  const before = survivors()
  const locked = await startReplicas({ replicas: 1, password: 'secret', sentinelPassword: 'guard' })
  const port = locked.sentinels[0]?.port as number
  expect(locked.url).toContain('redis+sentinel://:secret@')
  await expect(command(port, ['SENTINEL', 'MASTERS'])).rejects.toThrow('NOAUTH')
  await expect(command((await locked.primary()).port, ['GET', 'x'])).rejects.toThrow('NOAUTH')
  expect(await (await locked.failover()).cli('SET', 'x', '1')).toBe('OK')
  await locked.stop()
  expect(survivors()).toEqual(before)
})

failOnLeaks()
