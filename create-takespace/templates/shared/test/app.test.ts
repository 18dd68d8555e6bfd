/** The app and its tasks, served by a worker from a space in memory: no Redis, no port. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorker } from 'takespace/workers'
import app, { tasks } from '../src/app.js'
import { client, space } from '../src/space.js'

before(() => createWorker({ space, app, tasks }).start())
after(() => space.close())

test('GET / tells which process answers', async () => {
  const response = await client.fetch('/')
  assert.equal(response.status, 200)
  assert.deepEqual(await response.json(), { hello: '{{name}}', process: process.pid })
})

test('POST /greetings enqueues a task, whose result is kept', async () => {
  const posted = await client.fetch('/greetings?name=Ada', { method: 'POST' })
  assert.equal(posted.status, 202)
  const { ticket } = (await posted.json()) as { ticket: string }
  const result = await client.ticket(ticket).result({ waitMs: 5_000 })
  assert.deepEqual(result, { text: 'Hello, Ada.', process: process.pid })
})
