/**
 * Part departures: clients of event streams come and leave at an even pace, at one worker process under its supervisor. How often that process is
 * replaced, how many of the clients that stay are cut, how its memory grows. `usual` handlers end their timer on `close`, `forgetful` ones go on writing.
 */
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { startSystem } from './system.mjs'

const APP = fileURLToPath(new URL('../apps/events.mjs', import.meta.url))
const WATCHERS = 20
const SAMPLES = 6
/** Clients that connect at a time, before the measured time. */
const AT_A_TIME = 25

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Resolves when the first event has come. `state.cut`: the stream ended although the client has not left. */
function connect(url) {
  return new Promise((resolve) => {
    const state = { events: 0, cut: false, leave: () => {} }
    let left = false
    const over = () => {
      state.cut = !left
      resolve(state)
    }
    const req = request(url, { agent: false }, (res) => {
      res.on('data', () => {
        state.events++
        resolve(state)
      })
      res.on('error', () => {}).on('close', over)
    })
    req.on('error', over).end()
    state.leave = () => {
      left = true
      req.destroy()
    }
  })
}

const residentMiB = (pid) => {
  try {
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1_024)
  } catch {
    return 'gone'
  }
}

async function depart(kind, { aof, clients, perSecond, seconds }) {
  const seen = {
    'a worker process is due for recycling and is replaced': 0,
    'the handler runs on although its request is over': 0,
  }
  const onLog = ({ msg }) => {
    if (msg in seen) seen[msg]++
  }
  const system = await startSystem({ aof, processes: 1, concurrency: 16, app: APP, onLog })
  try {
    const url = `${system.url}/${kind}`
    const watchers = await Promise.all(Array.from({ length: WATCHERS }, () => connect(`${system.url}/usual`)))
    const present = []
    while (present.length < clients) {
      const more = Math.min(AT_A_TIME, clients - present.length)
      present.push(...(await Promise.all(Array.from({ length: more }, () => connect(url)))))
    }
    const pid = system.pids['worker 1']
    const memory = [residentMiB(pid)]
    let came = 0
    let refused = 0
    const began = performance.now()
    const timer = setInterval(() => {
      present.shift()?.leave()
      void connect(url).then((state) => {
        came++
        if (state.events === 0) refused++
        present.push(state)
      })
    }, 1_000 / perSecond)
    for (let n = 1; n <= SAMPLES; n++) {
      await pause(Math.max(began + (n * 1_000 * seconds) / SAMPLES - performance.now(), 0))
      memory.push(residentMiB(pid))
    }
    clearInterval(timer)
    const before = watchers.map(({ events }) => events)
    // An event a second for each.
    await pause(3_000)
    const still = watchers.filter(({ events, cut }, i) => !cut && events > before[i]).length
    for (const { leave } of [...present, ...watchers]) leave()
    const [replaced, warned] = Object.values(seen)
    return `${kind}: ${clients} clients, ${came} came and as many left in ${seconds} s (${refused} got no event), process replaced ${replaced} times, watchers cut ${WATCHERS - still} of ${WATCHERS}, warnings ${warned}, MiB of the first process over time ${memory.join(' ')}`
  } finally {
    await system.stop()
  }
}

export async function departures(terms) {
  return [await depart('usual', terms), await depart('forgetful', terms)]
}
