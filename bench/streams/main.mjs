/** `npm run bench:streams`: bodies that go bit by bit, on processes and a Redis of its own: what they cost, and how soon what is seen. */
import { parseArgs } from 'node:util'
import { chunks } from './chunks.mjs'
import { departures } from './departures.mjs'
import { events } from './events.mjs'
import { large } from './large.mjs'
import { resets } from './resets.mjs'
import { slow } from './slow.mjs'
import { sockets } from './sockets.mjs'
import { stalling } from './stalling.mjs'
import { unread } from './unread.mjs'

const PARTS = { large, chunks, events, resets, slow, stalling, unread, sockets, departures }

const { values } = parseArgs({
  options: {
    /** Some parts only. */
    only: { type: 'string', default: Object.keys(PARTS).join(',') },
    /** Of part large. */
    mib: { type: 'string', default: '1024' },
    /** For the parts events, slow, stalling, unread and departures. */
    seconds: { type: 'string', default: '10' },
    /** For the parts stalling, unread and departures. */
    clients: { type: 'string', default: '1000' },
    'per-second': { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    /** Of part large: a folder for CPU profiles, for `node bench/profile.mjs`. */
    'cpu-profile': { type: 'string' },
    /** Of part large: a checkout of another commit that has been built there; its systems take turns with these. */
    against: { type: 'string' },
    aof: { type: 'boolean', default: false },
  },
})
const terms = {
  mib: Number(values.mib),
  seconds: Number(values.seconds),
  clients: Number(values.clients),
  perSecond: Number(values['per-second']),
  aof: values.aof,
  rounds: Number(values.rounds),
  profileFolder: values['cpu-profile'],
  against: values.against,
}
for (const name of values.only.split(',')) {
  if (!PARTS[name]) throw new Error(`there is no part ${name}; there are ${Object.keys(PARTS).join(', ')}`)
  for (const line of await PARTS[name](terms)) console.log(`${name}: ${line}`)
}
process.exit(0)
