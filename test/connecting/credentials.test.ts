/** Credentials from a file or a function: read for every connection, and again if the server refuses them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { createClient, createScheduler, defineEntry, openSpace } from '../../src/index.js'
import { createWorker } from '../../workers/index.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const Job = defineEntry<{ id: number; text?: string }>('Job')

describeOnRedis('credentials', () => {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-credentials-'))
  const file = join(folder, 'password')
  let redis: Redis
  const setPassword = (password: string): Promise<string> =>
    redis.cli('ACL', 'SETUSER', 'app', 'on', 'resetpass', `>${password}`, '~*', '&*', '+@all')
  /** Ends the connections of the user, as the revocation of a password does. */
  const cutAll = (): Promise<string> => redis.cli('CLIENT', 'KILL', 'USER', 'app')
  beforeAll(async () => {
    redis = await startRedis()
  })
  beforeEach(() => setPassword('first'))
  afterAll(async () => {
    await redis.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  const fileUrl = (): string => `redis://app@127.0.0.1:${redis.port}?passwordFile=${encodeURIComponent(file)}`

  test('of a file are read again on each new link, also for large bodies', async () => {
    writeFileSync(file, 'first\n')
    await using space = await openSpace(fileUrl())
    const written = async (id: number): Promise<boolean> => {
      await space.write(Job({ id, text: 'x'.repeat(100_000) }))
      return (await space.take(Job.template({ id }), { waitMs: 0 }))?.text?.length === 100_000
    }
    expect(await written(1)).toBe(true)
    await setPassword('second')
    writeFileSync(file, 'second')
    await cutAll()
    await until(() => written(2), 'the space is back under the new password')
  })

  test('that a function returns are asked for again if they are refused', async () => {
    await setPassword('second')
    // A cache of short-lived tokens does this: the first one has expired.
    const returned = ['first', 'second']
    const asked: string[] = []
    const credentials = (): { username: string; password: string } => {
      asked.push(returned[asked.length] ?? 'second')
      return { username: 'app', password: asked.at(-1)! }
    }
    await using space = await openSpace(redis.url, { credentials })
    await space.write(Job({ id: 1 }))
    expect(await space.takeIfExists(Job)).toMatchObject({ id: 1 })
    expect(asked.slice(0, 2)).toEqual(['first', 'second'])
  })

  test('that stay refused are an error at once', async () => {
    const credentials = async (): Promise<{ username: string; password: string }> => ({
      username: 'app',
      password: 'x',
    })
    const opened = openSpace(redis.url, { credentials, connectTimeoutMs: 60_000 })
    await expect(opened).rejects.toMatchObject({ code: 'REDIS_REFUSED' })
  })

  test('of a file serve gateway, worker processes and doctor', async () => {
    writeFileSync(file, 'first')
    const env = { TAKESPACE_URL: `redis://app@127.0.0.1:${redis.port}`, TAKESPACE_PASSWORD_FILE: file }
    const app = join(folder, 'app.mjs')
    writeFileSync(app, "export default (_req, res) => res.end('served')")
    const gateway = startProcess(['takespace', 'gateway', '--port', '0'], { env })
    const worker = startProcess(['takespace', 'worker', app], { env })
    const [, port] = await gateway.line(/"url":"http:\/\/127.0.0.1:(\d+)/)
    await worker.line(/ready/)
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('served')
    const doctor = startProcess(['takespace', 'doctor', '--password-file', file, '--url', env.TAKESPACE_URL])
    await doctor.exited
    expect(doctor.output()).toMatch(/^ok .*version/m)
    for (const process of [gateway, worker]) {
      process.kill()
      expect((await process.exited).code).toBe(0)
      expect(process.output()).not.toMatch(/first/)
    }
  })

  test('that a function returns serve a scheduler, too', async () => {
    const credentials = (): { username: string; password: string } => ({ username: 'app', password: 'first' })
    await using space = await openSpace(redis.url, { credentials })
    await createScheduler({ space }).start()
    await createWorker({ space, tasks: { add: async ({ a, b }: { a: number; b: number }) => a + b } }).start()
    const ticket = await createClient({ space }).enqueue('add', { a: 1, b: 2 }, { delayMs: 1 })
    expect(await ticket.result()).toBe(3)
  })
})

failOnLeaks()
