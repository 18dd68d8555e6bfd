/** /metrics tells what happened: known requests on the memory engine, and the numbers that they must leave behind. */
import { expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import { BOUNDS_MS, Spread, WorkerTally } from '../../src/tally.js'
import { createWorker } from '../../workers/index.js'
import { Turn } from '../../workers/turn.js'
import { signal } from '../gateway/serving.js'
import { listening, requestOf, takenOf } from '../workers/turns.js'

/** Value by line: `name{labels}`. */
async function scrape(url: string | undefined): Promise<Map<string, number>> {
  const response = await fetch(`${url}/metrics`, { headers: { connection: 'close' } })
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]))
}

test('requests, times, what is under way and what there is room for', async () => {
  await using space = await openSpace('memory:')
  const begun = signal()
  const finish = signal()
  const worker = createWorker({
    space,
    concurrency: 4,
    adminPort: 0,
    app: (req, res) => {
      if (req.url === '/held') {
        begun.resolve()
        void finish.promise.then(() => res.end())
        return
      }
      if (req.url === '/throws') throw new Error('as it was told to')
      res.statusCode = req.url === '/missing' ? 404 : 200
      res.end()
    },
  })
  const gateway = createGateway({ space, port: 0, adminPort: 0, maxInFlight: 50 })
  await Promise.all([worker.start(), gateway.start()])
  const get = async (path: string) => (await fetch(gateway.url + path, { headers: { connection: 'close' } })).status
  expect(await Promise.all(['/', '/', '/', '/missing', '/throws'].map(get))).toEqual([200, 200, 200, 404, 500])

  const held = get('/held')
  await begun.promise
  const during = [await scrape(gateway.adminUrl), await scrape(worker.adminUrl)] as const
  expect(Object.fromEntries(during[0])).toMatchObject({
    'takespace_requests_total{service="web",status="200"}': 3,
    'takespace_requests_total{service="web",status="404"}': 1,
    'takespace_requests_total{service="web",status="500"}': 1,
    'takespace_request_seconds_count{service="web"}': 5,
    'takespace_request_seconds_bucket{le="+Inf",service="web"}': 5,
    takespace_requests_in_flight: 1,
    takespace_requests_capacity: 50,
    takespace_space_connected: 1,
    takespace_space_reconnects_total: 0,
  })
  expect(during[0].get('takespace_requests_oldest_seconds')).toBeGreaterThan(0)
  expect(during[0].get('process_resident_memory_bytes')).toBeGreaterThan(0)
  expect(Object.fromEntries(during[1])).toMatchObject({
    'takespace_turns_total{service="web",ending="answered"}': 4,
    'takespace_turns_total{service="web",ending="failed"}': 1,
    'takespace_service_seconds_count{service="web"}': 5,
    takespace_waiting_seconds_count: 6,
    'takespace_turns_in_flight{service="web"}': 1,
    'takespace_turns_capacity{service="web"}': 4,
    'takespace_redeliveries_total{service="web"}': 0,
    'takespace_refused_completions_total{service="web"}': 0,
  })

  finish.resolve()
  expect(await held).toBe(200)
  expect((await scrape(gateway.adminUrl)).get('takespace_requests_in_flight')).toBe(0)
  expect((await scrape(worker.adminUrl)).get('takespace_turns_in_flight{service="web"}')).toBe(0)
})

test('a request for nobody is counted under no service', async () => {
  await using space = await openSpace('memory:')
  const gateway = createGateway({ space, port: 0, adminPort: 0, services: [{ service: 'api', pathPrefix: '/api' }] })
  await gateway.start()
  await fetch(gateway.url, { headers: { connection: 'close' } })
  expect((await scrape(gateway.adminUrl)).get('takespace_requests_total{service="",status="404"}')).toBe(1)
})

test('a redelivery and a refused answer are counted', async () => {
  const tally = new WorkerTally()
  const taken = takenOf(requestOf(), { attempt: 2, complete: async () => false })
  const response = { status: 200, reason: '', headers: [], body: Buffer.alloc(0) }
  await new Turn(taken, async () => response, listening(), { tally }).run()
  expect(tally).toMatchObject({ redelivered: 1, refused: 1, endings: { answered: 1 } })
})

test('a time is counted in the first bucket that it fits in', () => {
  const spread = new Spread()
  const longest = BOUNDS_MS[BOUNDS_MS.length - 1] as number
  for (const ms of [0, 1, 1.1, longest, longest + 1]) spread.observe(ms)
  expect([spread.counts[0], spread.counts[1], ...spread.counts.slice(-2)]).toEqual([2, 1, 1, 1])
})
