/**
 * The CPU that heads of requests and responses take to write and to read, in this build and another one, in turns: `node
 * bench/heads.mjs FOLDER`, a checkout of another commit that has been built there.
 */
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { median } from './median.mjs'

const TURNS = 60
const TIMES = 3_000
const OF_THIS = fileURLToPath(new URL('..', import.meta.url))

const moduleOf = (folder) => import(pathToFileURL(resolve(folder, 'dist/chunks/request.js')))

const BROWSER = Object.entries({
  Host: 'shop.example',
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0',
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'Accept-Language': 'en-US,en;q=0.5',
  'Accept-Encoding': 'gzip, deflate, br, zstd',
  Cookie: `sid=s%3A${'a1b2c3d4'.repeat(8)}; theme=dark`,
  'Upgrade-Insecure-Requests': '1',
  'Sec-Fetch-Dest': 'document',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-Site': 'none',
  Priority: 'u=0, i',
  'Cache-Control': 'no-cache',
}).flat()
const EXPRESS = Object.entries({
  'X-Powered-By': 'Express',
  'Content-Type': 'application/json; charset=utf-8',
  ETag: 'W/"34-abcdefabcdefabcdef"',
  Vary: 'Accept-Encoding',
  'Cache-Control': 'no-store',
  'Set-Cookie': `sid=s%3A${'a1b2c3d4'.repeat(8)}; Path=/; HttpOnly`,
  Date: 'Mon, 30 Nov 2026 10:00:00 GMT',
}).flat()
const connection = { peerPort: 43_210, localAddress: '127.0.0.1', localPort: 8_080 }
const request = { method: 'GET', target: '/orders/17?x=1', httpVersion: '1.1', peer: '127.0.0.1', secure: false }
const body = Buffer.alloc(60, 'x')
const NOTHING = Buffer.alloc(0)

const MESSAGES = {
  'request without headers': ['Request', { ...request, headers: [], body }],
  'request of wrk': ['Request', { ...request, ...connection, headers: ['Host', '127.0.0.1:8080'], body: NOTHING }],
  'request of a browser': ['Request', { ...request, ...connection, headers: BROWSER, body: NOTHING }],
  'response without headers': ['Response', { status: 200, reason: '', headers: [], body }],
  'response of Express': ['Response', { status: 200, reason: 'OK', headers: EXPRESS, body }],
}

const [folder] = process.argv.slice(2)
if (!folder) throw new Error('node bench/heads.mjs FOLDER')
const builds = { this: await moduleOf(OF_THIS), other: await moduleOf(folder) }
const measured = []
for (const [what, [kind, message]] of Object.entries(MESSAGES)) {
  const [written, read] = [
    { this: [], other: [] },
    { this: [], other: [] },
  ]
  for (const [name, build] of Object.entries(builds)) {
    const bytes = build[`encode${kind}`](message)
    measured.push({ name, samples: written, run: () => build[`encode${kind}`](message) })
    measured.push({ name, samples: read, run: () => build[`decode${kind}`](bytes) })
  }
  MESSAGES[what] = { written, read }
}
for (let turn = 0; turn < TURNS; turn++) {
  for (const { name, samples, run } of turn % 2 ? measured : measured.toReversed()) {
    const since = process.cpuUsage()
    for (let i = 0; i < TIMES; i++) run()
    const { user, system } = process.cpuUsage(since)
    samples[name].push((user + system) / TIMES)
  }
}
for (const [what, sides] of Object.entries(MESSAGES)) {
  for (const [side, samples] of Object.entries(sides)) {
    const [mine, other] = [median(samples.this), median(samples.other)].map((us) => us.toFixed(2))
    console.log(`${what}, ${side}: ${other} → ${mine} µs, ratio ${(mine / other).toFixed(2)}`)
  }
}
