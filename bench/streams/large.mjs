/** Part large: so many MiB up and down, hashed at both ends; beside the same app asked directly, and behind HAProxy where there is one. */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { freePort } from '../redis.mjs'
import { APP, answered, listed, percentile, startSystem, watchCpu, watchMemory } from './system.mjs'

const MIB = 1 << 20
const PIECE = Buffer.from(Array.from({ length: MIB }, (_, i) => (i * 31 + (i >> 8)) & 255))

const hashOf = (mib) => {
  const hash = createHash('sha256')
  for (let n = 0; n < mib; n++) hash.update(PIECE)
  return hash.digest('hex')
}

async function up(url, mib) {
  const since = performance.now()
  const req = request(`${url}/up`, { method: 'POST', agent: false })
  const response = once(req, 'response')
  for (let n = 0; n < mib; n++) {
    for (let at = 0; at < MIB; at += 65_536) if (!req.write(PIECE.subarray(at, at + 65_536))) await once(req, 'drain')
  }
  req.end()
  const [res] = await response
  let text = ''
  for await (const chunk of res) text += chunk
  const { bytes, hash } = JSON.parse(text)
  return { exact: bytes === mib * MIB && hash === hashOf(mib), perSecond: mib / ((performance.now() - since) / 1_000) }
}

async function down(url, mib) {
  const since = performance.now()
  const req = request(`${url}/down?bytes=${mib * MIB}`, { agent: false }).end()
  const [res] = await once(req, 'response')
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of res) {
    hash.update(chunk)
    bytes += chunk.length
  }
  const perSecond = mib / ((performance.now() - since) / 1_000)
  return { exact: bytes === mib * MIB && hash.digest('hex') === hashOf(mib), perSecond }
}

/** The same app on a port of its own. */
export async function direct() {
  const port = await freePort()
  const code = `import(${JSON.stringify(APP)}).then(({ default: server }) => server.listen(${port}, '127.0.0.1'))`
  const app = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' })
  const url = `http://127.0.0.1:${port}`
  await answered(url)
  return { url, port, pid: app.pid, stop: () => app.kill('SIGKILL') }
}

async function haproxy(to) {
  if (spawnSync('haproxy', ['-v']).status !== 0) return undefined
  const port = await freePort()
  const file = join(tmpdir(), `takespace-haproxy-${port}.cfg`)
  writeFileSync(
    file,
    `defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\nlisten all\n bind 127.0.0.1:${port}\n server one 127.0.0.1:${to}\n`,
  )
  const proxy = spawn('haproxy', ['-f', file, '-db', '-q'], { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  await answered(url)
  return { url, pid: proxy.pid, stop: () => proxy.kill('SIGKILL') }
}

/** The ways between gateway and worker, with their flags. */
export const WAYS = {
  'takespace, the direct way': ['--direct-streams', 'host'],
  'takespace, through Redis': ['--direct-streams', 'off'],
}

/** One body in one way; the CPU seconds and the most memory of the processes meanwhile. */
async function pass(way, { url, pids }, mib) {
  const memory = watchMemory(pids)
  const cpu = watchCpu({ client: process.pid, ...pids })
  const { exact, perSecond } = await { up, down }[way](url, mib)
  return { exact, perSecond, cpu: listed(cpu()), memory: listed(memory()) }
}

/** All are asked in turns, so that what else the machine does strikes all of them; the medians of the rounds are told. */
export async function large({ mib, aof, rounds = 3, profileFolder, against }) {
  const stops = []
  const sides = {}
  const start = async (startSystem, name, flags) => {
    const folder = profileFolder && `${profileFolder}/${name.replaceAll(/\W+/g, '-')}`
    const system = await startSystem({ aof, processes: 1, flags, profileFolder: folder })
    stops.push(() => system.stop())
    sides[name] = { url: system.url, pids: system.pids }
  }
  try {
    for (const [name, flags] of Object.entries(WAYS)) await start(startSystem, name, flags)
    if (against) {
      const other = await import(pathToFileURL(resolve(against, 'bench/streams/system.mjs')))
      for (const [name, flags] of Object.entries(WAYS)) await start(other.startSystem, `${name}, ${against}`, flags)
    }
    const app = await direct()
    stops.push(app.stop)
    sides['the app, directly'] = { url: app.url, pids: { app: app.pid } }
    const proxy = await haproxy(app.port)
    if (proxy) {
      stops.push(proxy.stop)
      sides['behind HAProxy'] = { url: proxy.url, pids: { app: app.pid, haproxy: proxy.pid } }
    }
    return await compared(sides, mib, rounds)
  } finally {
    for (const stop of stops) await stop()
  }
}

async function compared(sides, mib, rounds) {
  const lines = []
  const rates = Object.fromEntries(Object.keys(sides).map((name) => [name, { up: [], down: [] }]))
  for (const way of ['up', 'down']) {
    const last = {}
    for (let round = 0; round < rounds; round++) {
      for (const [name, side] of Object.entries(sides)) {
        last[name] = await pass(way, side, mib)
        if (!last[name].exact) throw new Error(`${name}, ${way}: wrong bytes`)
        rates[name][way].push(last[name].perSecond)
      }
    }
    for (const [name, { cpu, memory }] of Object.entries(last)) {
      const each = rates[name][way].map((rate) => rate.toFixed(0)).join(', ')
      lines.push(`${name}, ${mib} MiB ${way}: byte-exact, MiB/s ${each}; CPU s: ${cpu}; more than idle, MiB: ${memory}`)
    }
  }
  const than = sides['behind HAProxy'] ? 'behind HAProxy' : 'the app, directly'
  for (const name of Object.keys(sides)) {
    if (name === than) continue
    const [up, down] = ['up', 'down'].map((way) =>
      percentile(
        rates[name][way].map((rate, i) => rate / rates[than][way][i]),
        50,
        100,
      ),
    )
    lines.push(`${name}: ${up} up, ${down} down of the rate ${than}, the median of ${rounds} rounds`)
  }
  return lines
}
