/** Looks: short connections to a server that join no space. */
import { SpaceError } from '../../../errors.js'
import { addressOf } from './address.js'
import { clientTerms, newClient, release, type Terms } from './client.js'
import type { Commands } from './commands.js'
import { Primary } from './primary.js'
import { serverRefusal, unreachable } from './refusal.js'

/** The commands of a connection for looks at a server. */
export interface LookingClient extends Commands {
  callBuffer(command: string, ...args: (string | Buffer)[]): Promise<unknown>
  getBuffer(key: string): Promise<Buffer | null>
}

export interface Look {
  readonly client: LookingClient
  close(): void
  /** Returns what a failed command, or the end of the connection, means. */
  errorOf(error: Error): SpaceError
}

/** Opens a connection for looks at the primary of a key: loads no library, subscribes to nothing. */
export async function openLook(url: string, timeoutMs: number, key: string): Promise<Look> {
  const address = addressOf(url)
  let heard: Error | undefined
  const errorOf = (error: Error): SpaceError => {
    const cause = error instanceof SpaceError ? error : (heard ?? error)
    return serverRefusal(cause, address) ?? unreachable(cause, address)
  }
  let terms: Terms
  try {
    terms = await clientTerms(address, await new Primary(address, key).find(timeoutMs))
  } catch (error) {
    throw errorOf(error as Error)
  }
  const client = newClient(terms, { connectTimeout: timeoutMs })
  client.on('error', (error: Error) => {
    heard ??= error
  })
  const bound = setTimeout(() => release(client), timeoutMs)
  try {
    await client.connect()
    if (heard) throw heard
    return { client, close: () => release(client), errorOf }
  } catch (error) {
    release(client)
    throw errorOf(error as Error)
  } finally {
    clearTimeout(bound)
  }
}

/** Looks at the primary of a key over a connection that ends with the look, or when the time is over. */
export async function lookAt<T>(
  url: string,
  timeoutMs: number,
  key: string,
  look: (client: LookingClient) => Promise<T>,
): Promise<T> {
  const { client, close, errorOf } = await openLook(url, timeoutMs, key)
  const bound = setTimeout(close, timeoutMs)
  try {
    return await look(client)
  } catch (error) {
    throw errorOf(error as Error)
  } finally {
    clearTimeout(bound)
    close()
  }
}
