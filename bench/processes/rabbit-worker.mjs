/** Takes requests from a RabbitMQ queue, replies, and acknowledges: what it had not acknowledged would go to another worker. */
import { connect } from 'amqplib'
import { begin, options } from './parent.mjs'

// Without it each small frame waits for the acknowledgement of the one before.
const connection = await connect(options.url, { noDelay: true })
const channel = await connection.createChannel()
await channel.assertQueue('echo')
await channel.prefetch(options.concurrency)
await channel.consume('echo', (message) => {
  const { replyTo, correlationId } = message.properties
  const reply = Buffer.from(JSON.stringify(JSON.parse(message.content.toString())))
  channel.sendToQueue(replyTo, reply, { correlationId })
  channel.ack(message)
})
await begin()
