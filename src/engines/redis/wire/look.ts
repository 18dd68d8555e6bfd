/** Looks: short connections to a server that join no space. */
import type { Access } from '../../../engine/access.js'
import { SpaceError } from '../../../errors.js'
import { type Address, addressOf, type Place } from './address.js'
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
export const openLook = (url: string, timeoutMs: number, key: string, access?: Access): Promise<Look> => {
  const address = addressOf(url, access)
  return openLookWhere(address, timeoutMs, () => new Primary(address, key).find(timeoutMs))
}

async function openLookWhere(address: Address, timeoutMs: number, findPlace: () => Promise<Place>): Promise<Look> {
  let heard: Error | undefined
  const errorOf = (error: Error): SpaceError => {
    const cause = error instanceof SpaceError ? error : (heard ?? error)
    return serverRefusal(cause, address) ?? unreachable(cause, address)
  }
  let terms: Terms
  try {
    terms = await clientTerms(address, await findPlace())
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
export const lookAt = async <T>(
  url: string,
  timeoutMs: number,
  key: string,
  look: (client: LookingClient) => Promise<T>,
  access?: Access,
): Promise<T> => lookOver(await openLook(url, timeoutMs, key, access), timeoutMs, look)

/** Looks at each primary: on a Cluster all of them. */
export async function atEachPrimary(
  url: string,
  timeoutMs: number,
  look: (client: LookingClient) => Promise<void>,
): Promise<void> {
  const address = addressOf(url)
  const places = await new Primary(address, '').all(timeoutMs)
  for (const place of places)
    await lookOver(await openLookWhere(address, timeoutMs, async () => place), timeoutMs, look)
}

async function lookOver<T>(
  { client, close, errorOf }: Look,
  timeoutMs: number,
  look: (client: LookingClient) => Promise<T>,
): Promise<T> {
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
