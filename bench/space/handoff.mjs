/** Parts handoff and batch: how quickly a waiting take is served, and how many entries a second takeAll takes. */
import { run } from '../run.mjs'

const CASES = {
  '1 pair, a write every 3 ms': [1, 3],
  '1 pair, back to back': [1, 0],
  '16 pairs, back to back': [16, 0],
}
const PER_CALL = 100

// From measurements of Apache River 3.0.1 (Outrigger, remote, transient) on two other shared cores: loopback TCP, both ends in one JVM.
const RIVER = {
  handoff: [
    ['1 pair, a write every 2 to 4 ms', 'remote', '–', '0.31–0.35', '0.66–1.0'],
    ['1 pair, back to back', 'remote', '1,680–1,880', '0.43–0.49', '0.9–1.25'],
    ['16 pairs, back to back', 'remote', '4,840–5,340', '2.0–2.4', '6.5–7.3'],
  ],
  batch: [['100 per call', 'remote, entries a second', '6,500–9,750', '–', '–']],
}

export const handoff = {
  name: 'handoff',
  title:
    'a waiting take is served by the write of another connection; time from before the write until the take has returned',
  steps: ({ runs }) =>
    Object.entries(CASES).flatMap(([group, [inFlight, everyMs]]) =>
      times(runs, group, 'handoff', inFlight, { everyMs }),
    ),
  baselines: [],
  elsewhere: RIVER.handoff,
}

export const batch = {
  name: 'batch',
  title: 'entries a second by takeAll, one caller; p50 and p99 of a call',
  steps: ({ runs }) => times(runs, '100 per call', 'batch', 1, { perCall: PER_CALL }),
  baselines: [],
  elsewhere: RIVER.batch,
}

function times(runs, group, name, inFlight, more) {
  const measure = (bench) =>
    run(bench, async () => {
      const { redis, warmUpMs, seconds, children } = bench
      const driver = await children.fork(name, name, { url: redis.url, inFlight, warmUpMs, seconds, ...more })
      return { driver, roles: { client: [driver.pid] } }
    })
  return Array.from({ length: runs }, (_, n) => ({ contender: 'takespace', group, run: n, measure }))
}
