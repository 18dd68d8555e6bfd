/** Part large: so many MiB up and down, hashed at both ends; beside the same app asked directly, and behind HAProxy where there is one. */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../redis.mjs'
import { APP, answered, listed, startSystem, watchCpu, watchMemory } from './system.mjs'

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

async function both(name, url, mib, rates, pids) {
  const lines = []
  rates[name] = {}
  for (const [way, pass] of Object.entries({ up, down })) {
    const memory = watchMemory(pids)
    const cpu = watchCpu({ client: process.pid, ...pids })
    const { exact, perSecond } = await pass(url, mib)
    rates[name][way] = perSecond
    const took = `; CPU s: ${listed(cpu())}; more than idle, MiB: ${listed(memory())}`
    lines.push(
      `${name}, ${mib} MiB ${way}: ${exact ? 'byte-exact' : 'WRONG BYTES'}, ${perSecond.toFixed(0)} MiB/s${took}`,
    )
  }
  return lines
}

/** The same app on a port of its own. */
async function direct() {
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

/** `ratios`: the rate of each way over that of the others. */
export async function large({ mib, aof, profileFolder }) {
  const rates = {}
  const lines = []
  const app = await direct()
  const proxy = await haproxy(app.port)
  try {
    for (const [name, flags] of Object.entries(WAYS)) {
      const folder = profileFolder && `${profileFolder}/${name.replaceAll(/\W+/g, '-')}`
      const system = await startSystem({ aof, processes: 1, flags, profileFolder: folder })
      try {
        lines.push(...(await both(name, system.url, mib, rates, system.pids)))
      } finally {
        await system.stop()
      }
    }
    lines.push(...(await both('the app, directly', app.url, mib, rates, { app: app.pid })))
    if (proxy)
      lines.push(...(await both('behind HAProxy', proxy.url, mib, rates, { app: app.pid, haproxy: proxy.pid })))
    else lines.push('no haproxy on this machine')
  } finally {
    proxy?.stop()
    app.stop()
  }
  const than = proxy ? 'behind HAProxy' : 'the app, directly'
  for (const name of Object.keys(WAYS)) {
    const [up, down] = ['up', 'down'].map((way) => (rates[name][way] / rates[than][way]).toFixed(2))
    lines.push(`${name}: ${up} up, ${down} down of the rate ${than}`)
  }
  return lines
}
