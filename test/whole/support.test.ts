/** The tests' own tools do what the tests rely on. */
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { type Link, startLink } from '../support/link.js'
import { startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { command } from '../support/resp.js'
import { until } from '../support/until.js'
import { survivors } from '../support/watchdog.js'

let redis: Redis
beforeAll(async () => {
  redis = await startRedis({ appendonly: true, appendfsync: 'always' })
})
afterAll(() => redis.stop())

describe('a Redis of our own', () => {
  test('answers, and is new enough for functions', async () => {
    expect(await redis.cli('PING')).toBe('PONG')
    expect(await redis.cli('CONFIG', 'GET', 'bind')).toBe('bind\n127.0.0.1')
    await expect(redis.cli('NOSUCH')).rejects.toThrow('unknown command')
    expect(await redis.cli('FUNCTION', 'LIST')).toBe('')
  })

  test('is gone after kill and back with its data after restart', async () => {
    await redis.cli('SET', 'kept', 'grüße')
    const before = redis.pid
    await redis.kill()
    await expect(redis.cli('PING')).rejects.toThrow('ECONNREFUSED')
    await redis.restart()
    expect(redis.pid).not.toBe(before)
    expect(await redis.cli('GET', 'kept')).toBe('grüße')
  })

  test('answers nothing while it is frozen', async () => {
    redis.pause()
    await expect(command(redis.port, ['PING'], 100)).rejects.toThrow('no reply')
    redis.resume()
    expect(await redis.cli('PING')).toBe('PONG')
  })

  test('leaves nothing behind', async () => {
    const other = await startRedis()
    const folder = (await other.cli('CONFIG', 'GET', 'dir')).split('\n')[1] ?? ''
    expect(existsSync(folder)).toBe(true)
    await other.stop()
    await other.stop()
    expect(existsSync(folder)).toBe(false)
    expect(survivors()).toEqual([`redis-server on port ${redis.port} (pid ${redis.pid})`])
  })

  test('may be one that asks for a password', async () => {
    const strict = await startRedis({ args: ['--requirepass', 'secret'] })
    await expect(strict.cli('PING')).rejects.toThrow('NOAUTH')
    await strict.stop()
  })
})

describe('a link', () => {
  let link: Link
  const sockets: Socket[] = []
  const dial = async (): Promise<{ socket: Socket; heard: () => string; closed: Promise<unknown> }> => {
    const socket = connect(link.port, '127.0.0.1')
    sockets.push(socket)
    let heard = ''
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      heard += bytes
    })
    // From the start, since it may close while a test waits for something else.
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await once(socket, 'connect')
    return { socket, heard: () => heard, closed }
  }
  beforeAll(async () => {
    link = await startLink(redis.port)
  })
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await until(() => link.connections === 0, 'the link has no connections')
  })
  afterAll(() => link.close())

  test('passes both ways, and cut ends what is open', async () => {
    const { socket, heard, closed } = await dial()
    socket.write('PING\r\n')
    await until(() => heard() === '+PONG\r\n', 'PONG is heard')
    expect(link.connections).toBe(1)
    link.cut()
    await closed
    expect(await command(link.port, ['PING'])).toBe('PONG')
  })

  test('refuses new connections and keeps the old', async () => {
    const { socket, heard } = await dial()
    socket.write('PING\r\n')
    await until(() => heard() === '+PONG\r\n', 'the first PONG is heard')
    await link.refuse()
    await expect(command(link.port, ['PING'])).rejects.toThrow('ECONNREFUSED')
    socket.write('PING\r\n')
    await until(() => heard() === '+PONG\r\n+PONG\r\n', 'the second PONG is heard')
    await link.accept()
    expect(await command(link.port, ['PING'])).toBe('PONG')
  })

  test('holds everything in a black hole and delivers it late', async () => {
    const { socket, heard } = await dial()
    link.blackhole()
    socket.write('SET hole 1\r\n')
    await expect(command(link.port, ['PING'], 100)).rejects.toThrow('no reply')
    expect(heard()).toBe('')
    expect(await redis.cli('EXISTS', 'hole')).toBe('0')
    link.heal()
    await until(() => heard() === '+OK\r\n', 'the late OK is heard')
  })

  test('loses replies while requests pass, then cuts the torn stream', async () => {
    const { socket, heard, closed } = await dial()
    link.dropReplies()
    socket.write('INCR lost\r\n')
    await until(() => link.lost === 1, 'the reply is lost')
    expect(await redis.cli('GET', 'lost')).toBe('1')
    link.heal()
    await closed
    expect(heard()).toBe('')
  })

  test('loses one reply and cuts', async () => {
    const { socket, heard, closed } = await dial()
    const dropped = link.dropNextReplyThenCut((bytes) => bytes.includes(':1'))
    socket.write('PING\r\nINCR once\r\n')
    await dropped
    await closed
    expect(heard()).not.toContain(':1')
    expect(await redis.cli('GET', 'once')).toBe('1')
    expect(await command(link.port, ['PING'])).toBe('PONG')
  })

  test('delays each direction', async () => {
    link.delay(40)
    const start = performance.now()
    await command(link.port, ['PING'])
    expect(performance.now() - start).toBeGreaterThanOrEqual(79)
    link.delay(0)
  })

  test('ends its client when Redis ends', async () => {
    const { closed } = await dial()
    await redis.kill()
    await closed
    await redis.restart()
  })
})

describe('a process', () => {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-process-'))
  const script = join(folder, 'script.mjs')
  beforeAll(() => {
    writeFileSync(
      script,
      `import { spawn } from 'node:child_process'
       if (process.argv[2] === 'parent') spawn(process.execPath, [process.argv[1], 'child'], { stdio: 'inherit' })
       console.log('ready', process.argv[2], process.env.NODE_ENV ?? 'unset', process.env.GREETING)
       setInterval(() => {}, 1_000)`,
    )
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  test('shows its output, takes signals and tells how it ended', async () => {
    const one = startProcess([script, 'one'], { env: { GREETING: 'hello' } })
    expect((await one.line(/ready one unset (\w+)/))[1]).toBe('hello')
    one.kill()
    expect(await one.exited).toEqual({ code: null, signal: 'SIGTERM' })
    await expect(one.line(/never/)).rejects.toThrow(/ended \(SIGTERM\) before it wrote \/never\/.*\n.*ready one/)
  })

  test('is counted as alive while a child of it is', async () => {
    const parent = startProcess([script, 'parent'])
    await parent.line(/ready child/)
    parent.kill('SIGKILL')
    await parent.exited
    expect(survivors().join()).toContain(`script.mjs parent (pid ${parent.pid})`)
    process.kill(-parent.pid, 'SIGKILL')
    await until(() => !survivors().join().includes('script.mjs'), 'the child is gone')
  })

  test('that cannot be started says so', async () => {
    const none = startProcess(['no-such-program'])
    await expect(none.line(/x/)).rejects.toThrow('ENOENT')
    expect(await none.exited).toEqual({ code: null, signal: null })
  })
})

describe('until', () => {
  test('names what it waited for and why it failed', async () => {
    const failing = () => {
      throw new Error('because')
    }
    await expect(until(failing, 'pigs fly', 20)).rejects.toMatchObject({
      message: 'waited 20 ms in vain until pigs fly',
      cause: new Error('because'),
    })
  })
})

failOnLeaks()
