/** RabbitMQ: direct reply-to, requests acknowledged after the reply. */
import { echoed } from '../../../processes/payload.mjs'

export const about = {
  name: 'RabbitMQ',
  server: 'rabbit',
  packages: ['amqplib'],
  promise: 'kept in memory; given to another worker if its worker dies before the acknowledgement',
  settings: 'direct reply-to, non-durable queue, prefetch 512, noDelay (without it small frames wait for each other)',
}

async function open(url) {
  const { connect } = await import('amqplib')
  const connection = await connect(url, { noDelay: true })
  const channel = await connection.createChannel()
  await channel.assertQueue('echo', { durable: false })
  return channel
}

export async function worker({ url }) {
  const channel = await open(url)
  await channel.prefetch(512)
  await channel.consume('echo', (message) => {
    const { replyTo, correlationId } = message.properties
    const reply = JSON.stringify(JSON.parse(message.content.toString()))
    channel.sendToQueue(replyTo, Buffer.from(reply), { correlationId })
    channel.ack(message)
  })
}

export async function client({ url }) {
  const replyTo = 'amq.rabbitmq.reply-to'
  const channel = await open(url)
  const waiting = new Map()
  const onReply = ({ content, properties: { correlationId } }) => {
    waiting.get(correlationId)?.(JSON.parse(content.toString()))
    waiting.delete(correlationId)
  }
  await channel.consume(replyTo, onReply, { noAck: true })
  let count = 0
  return echoed((data) => {
    const correlationId = String(++count)
    channel.sendToQueue('echo', Buffer.from(JSON.stringify(data)), { correlationId, replyTo })
    return new Promise((resolve) => waiting.set(correlationId, resolve))
  })
}
