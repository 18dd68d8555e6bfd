/** Sends requests to a RabbitMQ queue and waits for each reply (direct reply-to). */
import { connect } from 'amqplib'
import { closedLoop, payload } from './loop.mjs'
import { options } from './parent.mjs'

// Without it each small frame waits for the acknowledgement of the one before.
const connection = await connect(options.url, { noDelay: true })
const channel = await connection.createChannel()
await channel.assertQueue('echo')
const waiting = new Map()
await channel.consume(
  'amq.rabbitmq.reply-to',
  ({ content, properties }) => {
    waiting.get(properties.correlationId)?.(JSON.parse(content.toString()))
    waiting.delete(properties.correlationId)
  },
  { noAck: true },
)
let count = 0

await closedLoop(async () => {
  const text = payload()
  const correlationId = String(++count)
  const reply = new Promise((resolve) => waiting.set(correlationId, resolve))
  channel.sendToQueue('echo', Buffer.from(JSON.stringify({ text })), {
    correlationId,
    replyTo: 'amq.rabbitmq.reply-to',
  })
  if ((await reply).text !== text) throw new Error('the reply is not the echo of its request')
})
