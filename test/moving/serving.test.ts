/** A space moves under a gateway and workers: no request fails, sessions and tickets stay, what it has left may go. */
import { Agent, type RequestOptions, request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from '@jest/globals'
import { createClient } from '../../src/client.js'
import { openSpace } from '../../src/open.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { until } from '../support/until.js'
import { everyMove, type Ground, openBoth } from './moving.js'

const APP = fileURLToPath(new URL('children/counting-shop.js', import.meta.url))

/** One browser: its login, and orders one after the other. */
class Browser {
  readonly failures: string[] = []
  orders = 0
  #cookie = ''
  readonly #agent = new Agent({ keepAlive: true })

  constructor(
    private port: number,
    private readonly user: string,
  ) {}

  async login(): Promise<void> {
    const { cookies } = await this.#post('/login', this.user)
    this.#cookie = cookies[0]!.split(';', 1)[0]!
  }

  async order(): Promise<void> {
    try {
      const { told } = await this.#post('/order')
      expect(told).toEqual({ user: this.user, orders: this.orders + 1 })
      this.orders++
    } catch (error) {
      this.failures.push(String(error))
    }
  }

  goTo(port: number): void {
    this.port = port
  }

  close(): void {
    this.#agent.destroy()
  }

  #post(path: string, body = ''): Promise<{ told: object; cookies: string[] }> {
    const headers = { 'Content-Type': 'text/plain', ...(this.#cookie && { Cookie: this.#cookie }) }
    const options: RequestOptions = { port: this.port, path, method: 'POST', agent: this.#agent, headers }
    return new Promise((resolve, reject) => {
      const req = request(options, (res) => {
        let text = ''
        res.setEncoding('utf8').on('data', (chunk) => {
          text += chunk
        })
        res.on('error', reject).on('end', () => {
          if (res.statusCode !== 200) reject(new Error(`${path}: ${res.statusCode} ${text}`))
          else resolve({ told: JSON.parse(text), cookies: res.headers['set-cookie'] ?? [] })
        })
      })
      req.on('error', reject)
      req.end(body)
    })
  }
}

everyMove(
  'a space that moves under load',
  (start) => {
    let servers: Ground
    const started: Process[] = []
    const browsers: Browser[] = []
    afterAll(async () => {
      for (const browser of browsers) browser.close()
      for (const process of started) process.kill('SIGTERM')
      await Promise.all(started.map(({ exited }) => exited))
      await servers?.stop()
    })

    const run = (args: readonly string[], env: Record<string, string>): Process => {
      const process = startProcess(['takespace', ...args], { env })
      started.push(process)
      return process
    }
    const startGateway = async (env: Record<string, string>): Promise<number> => {
      const gateway = run(['gateway', '--port', '0'], env)
      const [, port] = await gateway.line(/"url":"http:\/\/127\.0\.0\.1:(\d+)/)
      return Number(port)
    }

    test('fails no request, keeps sessions, tickets and tasks, and needs the old partitions no more', async () => {
      servers = await start()
      const both = { TAKESPACE_URL: servers.old.url, TAKESPACE_NEXT_URL: servers.fresh.url }
      // On a Cluster the first process decides the number of partitions.
      await (await openSpace(servers.old.url)).close()
      const port = await startGateway(both)
      const worker = run(['worker', APP, '--processes', '2'], both)
      await worker.line(/worker process is ready[\s\S]*worker process is ready/)
      for (let i = 0; i < 6; i++) browsers.push(new Browser(port, `user ${i}`))
      for (const browser of browsers) await browser.login()
      const space = await openBoth(servers, 'default')
      const client = createClient({ space })
      const settled = await client.enqueue('double', 21)
      expect(await settled.result()).toBe(42)
      // No worker has this service: the task waits throughout the move.
      const waiting = await createClient({ space, service: 'later' }).enqueue('double', 4)
      let over = false
      const ordering = browsers.map(async (browser) => {
        while (!over) await browser.order()
      })

      // A program that has not been restarted yet.
      const former = await openSpace(servers.old.url)
      const first = run(['migrate'], both)
      await first.line(new RegExp(`waiting for 1 processes to be restarted.*${former.presence}`))
      const asked = run(['migrate', '--dry-run', '--json'], both)
      expect(await asked.exited).toEqual({ code: 1, signal: null })
      expect(JSON.parse(asked.output())).toMatchObject({ step: 'waiting', phase: 'joined', behind: [former.presence] })
      await former.close()
      await first.line(/^moving: \d+ moved|settling: /m)
      first.kill('SIGKILL')
      const second = run(['migrate'], both)
      const third = run(['migrate', '--json'], both)
      await Promise.all([second.line(/^The space is at /m), third.line(/"step":"moved"/)])
      for (const mover of [second, third]) expect(await mover.exited).toEqual({ code: 0, signal: null })
      expect(second.output()).toContain(`Restart its processes with this address alone`)
      const code = servers.former ? 'SPACE_MOVES' : 'PARTITIONS_DIFFER'
      await expect(openSpace(servers.old.url)).rejects.toMatchObject({ code })

      if (servers.former) {
        const doctor = run(['doctor'], { TAKESPACE_URL: servers.old.url })
        await doctor.exited
        expect(doctor.output()).toMatch(/^warn {2}move .*has moved to another address/m)
        await servers.former.kill()
      } else {
        // Nothing is left to do: the space has these partitions.
        expect(await run(['migrate', '--dry-run'], both).exited).toEqual({ code: 0, signal: null })
      }
      const before = browsers.map(({ orders }) => orders)
      await until(
        () => browsers.every(({ orders }, i) => orders > before[i]! + 5),
        'orders go on without the old partitions',
      )
      const alone = { TAKESPACE_URL: servers.fresh.url }
      const nextPort = await startGateway(alone)
      for (const browser of browsers) browser.goTo(nextPort)
      const then = browsers.map(({ orders }) => orders)
      await until(
        () => browsers.every(({ orders }, i) => orders > then[i]! + 5),
        'orders go on by a gateway with one address',
      )
      over = true
      await Promise.all(ordering)
      expect(browsers.flatMap(({ failures }) => failures)).toEqual([])

      const later = await openSpace(servers.fresh.url)
      const laterClient = createClient({ space: later })
      expect(await laterClient.ticket(settled.id).result()).toBe(42)
      run(['worker', APP, '--service', 'later'], alone)
      expect(await laterClient.ticket(waiting.id).result()).toBe(8)
      await Promise.all([space.close(), later.close()])
    })
  },
  'servers',
)

failOnLeaks()
