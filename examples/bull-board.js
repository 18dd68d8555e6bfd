// bull-board on what takespace keeps until it is due, and on what is tried again: `node examples/bull-board.js`, with REDIS_URL and PORT.
// It needs @bull-board/api, @bull-board/express, bullmq and express. It asks nobody who they are: keep it on this machine.
import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { ExpressAdapter } from '@bull-board/express'
import { Queue } from 'bullmq'
import express from 'express'

const redis = new URL(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379')
const port = Number(process.env.PORT ?? 3000)

// The queue of the space `default`; createScheduler({ space }).queueName tells it for any.
const queue = new Queue('takespace.default', { connection: { host: redis.hostname, port: Number(redis.port || 6379) } })

const board = new ExpressAdapter()
board.setBasePath('/board')
createBullBoard({ queues: [new BullMQAdapter(queue)], serverAdapter: board })

const server = express()
  .use('/board', board.getRouter())
  .listen(port, '127.0.0.1', () => {
    console.log(`bull-board on http://127.0.0.1:${server.address().port}/board`)
  })

process.once('SIGTERM', async () => {
  server.close()
  server.closeAllConnections()
  await queue.close()
})
