/** SIGTERM to a gateway while requests are being uploaded: those that stall get 408, those that move are answered. */
import { request } from 'node:http'
import { connect } from 'node:http2'
import type { Writable } from 'node:stream'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { within } from '../../src/runtime/deadline.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { freePort } from '../support/port.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { scratch } from '../support/scratch.js'
import { MOST_MS } from '../support/until.js'

const { write } = scratch('stalled')

/** No test waits for so long: only progress bounds a stop. */
const TIMEOUT_MS = 3_600_000

interface Upload {
  readonly body: Writable
  readonly answer: Promise<{ readonly status: number; readonly text: string }>
}

async function answerOf(body: AsyncIterable<Buffer>, status: number): Promise<{ status: number; text: string }> {
  let text = ''
  for await (const chunk of body) text += chunk
  return { status, text }
}

const BEGIN: Record<string, (port: number, path: string) => Upload> = {
  'HTTP/1.1': (port, path) => {
    const body = request({ port, host: '127.0.0.1', method: 'POST', path, agent: false })
    body.on('error', () => {})
    const answer = new Promise<{ status: number; text: string }>((resolve, reject) => {
      body.on('response', (res) => resolve(answerOf(res, res.statusCode as number))).on('close', reject)
    })
    return { body, answer }
  },
  'HTTP/2': (port, path) => {
    const session = connect(`http://127.0.0.1:${port}`).on('error', () => {})
    const body = session.request({ ':method': 'POST', ':path': path })
    body.on('error', () => {}).on('close', () => session.close())
    const answer = new Promise<{ status: number; text: string }>((resolve, reject) => {
      body.on('response', (head) => resolve(answerOf(body, head[':status'] as number))).on('close', reject)
    })
    return { body, answer }
  },
}

describeOnRedis('a gateway that stops', () => {
  let redis: Redis
  let worker: Process
  beforeAll(async () => {
    redis = await startRedis()
    const app = write(
      'app.mjs',
      `export default (req, res) => {
         req.once('data', () => console.log('begun', req.url))
         req.resume().on('end', () => res.end('whole'))
       }\n`,
    )
    worker = startProcess(['takespace', 'worker', app], { env: { TAKESPACE_URL: redis.url } })
    await worker.line(/worker process is ready/)
  })
  afterAll(async () => {
    worker.kill('SIGTERM')
    await worker.exited
    await redis.stop()
  })
  let gateway: Process
  afterEach(async () => {
    gateway.kill('SIGKILL')
    await gateway.exited
  })

  test.each(Object.keys(BEGIN))('refuses an upload over %s that stalls, and waits for one that moves', async (how) => {
    const port = await freePort()
    const options = ['--port', `${port}`, '--timeout-ms', `${TIMEOUT_MS}`, '--h2c']
    gateway = startProcess(['takespace', 'gateway', ...options], { env: { TAKESPACE_URL: redis.url } })
    await gateway.line(/"msg":"listening"/)
    const [stalled, moving] = ['stalled', 'moving'].map((name) => BEGIN[how]!(port, `/${name}/${how}`))
    for (const { body } of [stalled!, moving!]) body.write('a part')
    for (const name of ['stalled', 'moving']) await worker.line(new RegExp(`begun /${name}/${how}`))
    const sending = setInterval(() => moving!.body.write(Buffer.alloc(100)), 50).unref()
    gateway.kill('SIGTERM')
    expect(await within(MOST_MS, stalled!.answer)).toBe(true)
    expect(await stalled!.answer).toMatchObject({ status: 408, text: expect.stringContaining('BODY_TOO_SLOW') })
    clearInterval(sending)
    moving!.body.end()
    expect(await moving!.answer).toEqual({ status: 200, text: 'whole' })
    expect(await within(MOST_MS, gateway.exited)).toBe(true)
    expect(await gateway.exited).toMatchObject({ code: 0 })
  })
})

failOnLeaks()
