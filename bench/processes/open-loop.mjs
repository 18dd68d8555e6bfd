/** The open loop: requests at an even pace, whether or not earlier ones are answered; latency counts from the intended moment. */
import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { begin, options, tell } from './parent.mjs'

/** Requests without a response this long after the end count with their age. */
const DRAIN_MS = 3_000
/** A generator that is this far behind its pace measures itself. */
const MOST_BEHIND_MS = 1_000
const agent = new Agent({ keepAlive: true, maxSockets: 4_096 })

/** Marsaglia's xorshift: the same sequence for each contender. */
function randomFrom(seed) {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** Sends one request. `sent` gets its time when it is over; failures are responses other than 200 and broken connections. */
function send(sent) {
  const settle = (status, why) => {
    if (sent.tookMs !== undefined) return
    sent.tookMs = performance.now() - sent.intended
    sent.failed = status !== 200
    sent.why = why ?? String(status)
  }
  const { target, path, method, headers } = sent
  const req = request(new URL(path, target), { agent, method, headers }, (res) => {
    res.resume()
    res.once('end', () => settle(res.statusCode)).once('error', ({ code }) => settle(0, code))
  })
  req.once('error', ({ code, message }) => settle(0, code ?? message)).end()
}

async function load({ targets, perSecond, warmUpMs, seconds, kinds, methods, seed, isKeyed }) {
  const random = randomFrom(seed)
  const all = []
  const since = performance.now()
  const total = Math.floor(perSecond * (warmUpMs / 1000 + seconds))
  let isTold = false
  while (all.length < total) {
    const due = ((performance.now() - since) * perSecond) / 1000
    while (all.length < Math.min(due, total)) {
      const n = all.length
      const draw = random()
      const { ms } = kinds.find(({ upTo }) => draw < upTo)
      const method = methods[n % methods.length]
      const sent = { id: n, intended: since + (1000 * n) / perSecond, ms, method, target: targets[n % targets.length] }
      sent.path = `/?ms=${ms}&id=${n}`
      sent.headers = isKeyed && method === 'POST' ? { 'Idempotency-Key': `"key-${n}"` } : {}
      sent.counts = sent.intended - since >= warmUpMs
      if (sent.counts && performance.now() - sent.intended > MOST_BEHIND_MS)
        throw new Error(`the load generator was more than ${MOST_BEHIND_MS} ms behind: the machine is too busy`)
      all.push(sent)
      send(sent)
    }
    if (!isTold && performance.now() - since >= warmUpMs) {
      isTold = true
      tell('measuring')
    }
    await pause(1)
  }
  const isOpen = ({ tookMs }) => tookMs === undefined
  for (const end = performance.now() + DRAIN_MS; performance.now() < end && all.some(isOpen); ) await pause(20)
  return all.filter(({ counts }) => counts)
}

function resultOf(all, seconds) {
  const now = performance.now()
  const took = Float64Array.from(all, ({ tookMs, intended }) => tookMs ?? now - intended).sort()
  const at = (share) => took[Math.min(took.length - 1, Math.floor(took.length * share))]
  const failed = all.filter((sent) => sent.failed)
  const beyond = all
    .filter(({ tookMs, failed }) => tookMs !== undefined && !failed)
    .map(({ tookMs, ms }) => tookMs - ms)
  return {
    perSecond: all.length / seconds,
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    mean: took.reduce((sum, ms) => sum + ms, 0) / took.length,
    longestWait: Math.max(0, ...beyond),
    unfinished: all.filter(({ tookMs }) => tookMs === undefined).length,
    failures: failed.map(({ id, method, why }) => ({ id, method, why })),
    methods: Object.fromEntries(all.map(({ id, method }) => [id, method])),
    errors: 0,
  }
}

for (;;) {
  const terms = { ...options, ...(await begin()) }
  const all = await load(terms)
  const { methods, ...result } = resultOf(all, terms.seconds)
  tell('measured', { result: { ...result, ...(terms.isListed && { methods }) } })
  agent.destroy()
}
