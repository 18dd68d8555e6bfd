/** Errors of the server and of a connection attempt: which end the attempt for good, and what to do about each. */
import { SpaceError } from '../../../errors.js'
import { REFUSAL } from '../protocol.js'
import type { Address } from './address.js'
import { reactionTo } from './reactions.js'

/** The error of servers that should know where the primary is, and do not know it now. */
export class PrimaryUnknown extends Error {}

/** Returns whether the server refuses the user or the password. */
export const isLoginRefused = (error: Error): boolean => /^(WRONGPASS|NOAUTH|ERR AUTH)/.test(error.message)

const TLS_CODES =
  /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_|ERR_SSL_|ERR_OSSL_|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/

/** Returns the error if the server refuses for good; null if a new attempt may succeed. */
export function serverRefusal(error: Error, address: Address): SpaceError | null {
  if (error instanceof SpaceError) return error
  const { message } = error
  const line = message.split('\n')[0]!
  if (isLoginRefused(error)) return new SpaceError('REDIS_REFUSED', line)
  if (message.startsWith('NOPERM')) {
    return new SpaceError('REDIS_REFUSED', `${line} Give the user the rights that \`takespace acl\` prints.`)
  }
  if (/DB index/.test(message) || /SELECT is not allowed/.test(message)) return unsuitable(noDatabase(address, message))
  const [, command] = /^ERR unknown (?:sub)?command '?([^',\s]+)/i.exec(message) ?? []
  if (command) return unsuitable(missingCommands([command]))
  // Where others tell which server is the primary, it may be another one at the next attempt.
  if (address.seeds && reactionTo(error)) return null
  const [, slot, owner] = /^MOVED (\d+) (\S+)/.exec(message) ?? []
  if (owner)
    return unsuitable(
      `This cluster node lacks slot ${slot} of the space: give the address of ${owner}, or redis+cluster://.`,
    )
  return tlsRefusal(error as NodeJS.ErrnoException, address)
}

/** Returns the error of an attempt that was repeated until its time was over. */
export const unreachable = (cause: Error, address: Address): SpaceError =>
  new SpaceError('SPACE_UNREACHABLE', reasonOf(cause, address), { cause })

function reasonOf(cause: NodeJS.ErrnoException, { shown, tls, seeds }: Address): string {
  const { message, code = '' } = cause
  if (message.startsWith('CLUSTERDOWN')) {
    return `The cluster of ${shown} does not serve the slot of the space: see CLUSTER INFO, or give another server.`
  }
  if (message.startsWith('BUSY')) {
    return `A script of another client blocks Redis at ${shown}: see SCRIPT KILL and FUNCTION KILL.`
  }
  if (message.startsWith('LOADING')) return `Redis at ${shown} is still reading its data.`
  if (cause instanceof PrimaryUnknown) return message
  const reaction = reactionTo(cause)
  if (reaction) return `${shown}: ${reaction.says}`
  const isConnected = !/ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT|EACCES/.test(code)
  const answer = `No answer from ${seeds?.of === 'sentinel' ? 'a Sentinel or its primary' : 'Redis'} at ${shown}.`
  // Redis waits on for the end of a line if it is spoken TLS to, and resets a connection that does not speak TLS.
  if (tls && isConnected) return `${answer} If this port does not speak TLS, write redis://.`
  if (!tls && (code === 'ECONNRESET' || code === 'EPIPE')) return `${answer} If this port expects TLS, write rediss://.`
  return `${answer} Without a Redis, try: takespace dev`
}

/** Returns the sentence about commands that a server lacks. */
export const missingCommands = (commands: readonly string[]): string =>
  `It lacks ${commands.map((each) => each.toUpperCase()).join(', ')}: renamed in its configuration, disabled by its ` +
  'provider, or not a Redis.'

const unsuitable = (detail: string): SpaceError => new SpaceError('REDIS_UNSUITABLE', detail)

const noDatabase = ({ database }: Address, message: string): string =>
  /SELECT is not allowed/.test(message)
    ? `A cluster has only database 0, not ${database}.`
    : `It has no database ${database}: see its setting "databases", or give a smaller number.`

/** A failed handshake would fail again: certificates, names and ports do not change between two attempts. */
function tlsRefusal(error: NodeJS.ErrnoException, { tls, shown }: Address): SpaceError | null {
  const { code = '', message } = error
  const failed = (advice: string): SpaceError => new SpaceError('TLS_FAILED', advice, { cause: error })
  if (!tls || !TLS_CODES.test(code)) return null
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/.test(code)) {
    return failed(`${shown} does not speak TLS: write redis://, or give the TLS port of the server.`)
  }
  if (/CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/.test(code)) {
    return failed(`${shown} asks for a certificate of the client: give cert and key. (${code})`)
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return failed(`The certificate of ${shown} is for other names: ${message}. Give its name as servername.`)
  }
  if (/EXPIRED|NOT_YET/.test(code)) return failed(`The certificate of ${shown} is outside its period: ${message}.`)
  if (/^(UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/.test(code)) {
    return failed(`The certificate of ${shown} is not signed by a known authority (${code}): give its ca.`)
  }
  return failed(`${shown}: ${message} (${code}).`)
}

/** Returns the error of a call that the server refused, and always will. */
export function callRefusal(error: Error): SpaceError {
  const { message } = error
  if (/^NOPERM/.test(message)) return new SpaceError('REDIS_REFUSED', message)
  return foreignKeyError(error) ?? new SpaceError('INTERNAL', message, { cause: error })
}

/** Returns the error for a key of another type than takespace has written; undefined for another error. */
export const foreignKeyError = (cause: Error): SpaceError | undefined =>
  /^WRONGTYPE/.test(cause.message)
    ? new SpaceError('DATA_DAMAGED', 'A key has another type. Run takespace doctor --repair.', { cause })
    : undefined

/** Returns the error for data in the layout of another release. */
export const layoutError = (refusal: string): SpaceError =>
  new SpaceError(refusal === REFUSAL.dataOlder ? 'DATA_OLDER' : 'DATA_NEWER')
