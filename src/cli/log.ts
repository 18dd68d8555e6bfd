/** The logger of the command line: text on a terminal, JSON elsewhere, without secrets. */
import { type DestinationStream, type Logger as Pino, pino } from 'pino'
import { failureOf } from '../tasks/failure.js'

/** Fields with credentials. */
const SECRET_FIELDS = ['cookie', 'set-cookie', 'authorization', 'proxy-authorization', 'password', 'secret']

const paths = SECRET_FIELDS.flatMap((name) => [
  `["${name}"]`,
  `headers["${name}"]`,
  `req.headers["${name}"]`,
  `res.headers["${name}"]`,
])

/** `role` is the kind of process. The level is LOG_LEVEL, default `info`. */
export async function openLog(role: string): Promise<Pino> {
  const level = process.env.LOG_LEVEL?.toLowerCase() || 'info'
  if (level !== 'silent' && !(level in pino.levels.values)) {
    throw new Error(`LOG_LEVEL is one of ${Object.keys(pino.levels.values).join(', ')} or silent, not ${level}.`)
  }
  const redact = { paths, censor: '***' }
  return pino({ level, base: { role, pid: process.pid }, redact, serializers: { err: legible } }, await destination())
}

/** An error may have getters that throw; its log line is written all the same. */
function legible(error: Error): object {
  try {
    return pino.stdSerializers.err(error)
  } catch {
    return failureOf(error)
  }
}

async function destination(): Promise<DestinationStream> {
  // Asynchronous: lines are written in batches, the rest at exit.
  if (!process.stdout.isTTY) return pino.destination({ sync: false })
  const { default: pretty } = await import('pino-pretty')
  return pretty({
    ignore: 'pid,role',
    messageFormat: '{role} {msg}',
    translateTime: 'HH:MM:ss.l',
    singleLine: true,
    sync: true,
    colorize: true,
  })
}
