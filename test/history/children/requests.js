// Gateways and workers of the workload, on the engine's own contract: requests with outcomes, standing takes whose deliveries have claims.
import { setTimeout as pause } from 'node:timers/promises'

const KIND = 'takespace.Request'
const SERVICE = 'service=s:history'
const pattern = { kind: KIND, root: KIND, indexed: [SERVICE], verified: [] }
/** A gateway's deadline: then it answers its client itself. */
const DEADLINE_MS = 4_000
const AT_ONCE = 4
const CREDIT = 4

/** Sends requests, some of which may not run twice, and notes what it hears of each. */
export function gateway({ space, recorder, stop, random, value }) {
  const sender = async () => {
    while (!stop.aborted) {
      const asked = value()
      await request(asked, random() < 0.5)
      await pause(random() * 10)
    }
  }
  async function request(asked, repeatable) {
    const image = {
      id: space.newId(),
      kinds: [KIND],
      indexed: [SERVICE],
      verified: [],
      body: Buffer.from(asked),
      leaseMs: DEADLINE_MS,
      priority: 0,
      request: { repeatable, maxDeliveries: 9 },
    }
    let over
    const outcome = new Promise((resolve) => {
      over = resolve
    })
    const deadline = setTimeout(() => {
      recorder.event('timeout', { value: asked })
      over()
    }, DEADLINE_MS)
    const onOutcome = ({ kind, body }) => {
      recorder.event('outcome', { value: asked, kind, body: body?.toString() })
      over()
    }
    const record = { values: [asked], repeatable }
    const written = await recorder.run('request', record, () => space.engine.request(image, onOutcome).then(() => true))
    if (written) await outcome
    clearTimeout(deadline)
  }
  return { ended: Promise.all(Array.from({ length: AT_ONCE }, sender)) }
}

/** Takes requests and answers each with what it was and the claim under which it had it. */
export function worker({ space, recorder, random, settings }) {
  const { workMs = 8 } = settings
  const offering = space.engine.offer(pattern, CREDIT, (delivery) => void serve(delivery))
  async function serve(delivery) {
    const { claim, attempt, waitedMs, writtenAt, repeatable } = delivery
    const value = delivery.body.toString()
    const record = { value, claim }
    delivery.holder = { lost: () => recorder.event('lost', record) }
    recorder.event('deliver', { ...record, attempt, grantedAt: writtenAt + waitedMs, repeatable })
    if (!repeatable) {
      let refused = false
      const started = await recorder.run(
        'start',
        record,
        () => space.engine.start(delivery),
        (ours) => {
          refused = !ours
          return { out: ours ? 'ok' : 'refused' }
        },
      )
      // As a worker does: what is not ours any longer is answered for its credit, what may be ours is given back.
      if (refused) return complete(delivery, record)
      if (!started) return recorder.run('release', record, () => space.engine.release(delivery))
    }
    recorder.event('execute', record)
    await pause(random() < 0.1 ? workMs * 10 : random() * workMs)
    if (repeatable && random() < 0.05) {
      return recorder.run('release', record, () => space.engine.release(delivery))
    }
    return complete(delivery, record)
  }
  function complete(delivery, { value, claim }) {
    const accepted = (is) => ({ out: is ? 'ok' : 'refused' })
    const answer = Buffer.from(`${value}|${claim}`)
    return recorder.run('complete', { value, claim }, () => space.engine.complete(delivery, answer, 1), accepted)
  }
  return { lasting: true, ended: offering, end: async () => (await offering).end() }
}
