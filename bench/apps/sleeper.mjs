/** An app that waits instead of computing: `/?ms=50` is answered after 50 ms; notes in LEDGER which request has begun. */
import { appendFileSync } from 'node:fs'

/** Returns an app that handles `slots` requests at a time, first come, first served, each `factor` times as long as asked for. */
export function sleeper({ factor = 1, slots = Number.POSITIVE_INFINITY, note = () => {} }) {
  const queue = []
  let busy = 0
  const next = () => {
    if (busy >= slots || queue.length === 0) return
    busy++
    const { req, res } = queue.shift()
    note(req)
    const { searchParams } = new URL(req.url, 'http://sleeper')
    const since = performance.now()
    setTimeout(
      () => {
        busy--
        // A timer of 50 ms takes longer.
        res.setHeader('X-Slept-Ms', performance.now() - since)
        res.end('slept')
        next()
      },
      factor * Number(searchParams.get('ms') ?? 0),
    )
  }
  return (req, res) => {
    queue.push({ req, res })
    next()
  }
}

const { LEDGER } = process.env
const note = (req) => {
  const id = new URL(req.url, 'http://sleeper').searchParams.get('id')
  if (LEDGER && id) appendFileSync(LEDGER, `${id}\n`)
}

export default sleeper({ note })
