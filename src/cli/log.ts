/** The command line's logger: lines for people on a terminal, JSON for machines elsewhere, secrets in neither. */
import { type DestinationStream, type Logger as Pino, pino } from 'pino'

/** What a field of these names may hold lets its finder act as somebody else. */
const SECRET_FIELDS = ['cookie', 'set-cookie', 'authorization', 'proxy-authorization', 'password', 'secret']

const paths = SECRET_FIELDS.flatMap((name) => [
  `["${name}"]`,
  `headers["${name}"]`,
  `req.headers["${name}"]`,
  `res.headers["${name}"]`,
])

/** `role` says which kind of process speaks. Level: LOG_LEVEL, default `info`. */
export async function openLog(role: string): Promise<Pino> {
  const level = process.env.LOG_LEVEL?.toLowerCase() || 'info'
  if (level !== 'silent' && !(level in pino.levels.values)) {
    throw new Error(`LOG_LEVEL is one of ${Object.keys(pino.levels.values).join(', ')} or silent, not ${level}.`)
  }
  return pino({ level, base: { role, pid: process.pid }, redact: { paths, censor: '***' } }, await destination())
}

async function destination(): Promise<DestinationStream> {
  // Asynchronous: lines that come while one is being written go out together. What is left is flushed at exit.
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
