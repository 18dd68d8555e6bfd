/**
 * The folder of the unix sockets of a user's processes on a host: private to the user, so that no other user can connect
 * or put a socket there.
 */
import { lstatSync, mkdirSync } from 'node:fs'
import { readdir, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ENDING = '.sock'
const NAME = /^[\w-]{1,64}$/
/** macOS and the BSDs cut longer addresses; Linux has 107. */
const LONGEST_PATH = 103
const MOST_LOOKED_AT = 1_000

/** Returns the folder, which it makes if need be; undefined if there can be none that is private. */
function ownFolder(): string | undefined {
  const uid = process.getuid?.()
  // Windows has neither.
  if (uid === undefined) return undefined
  const folder = join(tmpdir(), `takespace-${uid}`)
  try {
    mkdirSync(folder, { mode: 0o700, recursive: true })
    const stats = lstatSync(folder)
    return stats.isDirectory() && stats.uid === uid && (stats.mode & 0o077) === 0 ? folder : undefined
  } catch {
    return undefined
  }
}

/** Returns the path of the socket of this name; undefined if the name is malformed, or there is no private folder. */
export function socketPath(name: string): string | undefined {
  if (!NAME.test(name)) return undefined
  const folder = ownFolder()
  const path = folder && join(folder, name + ENDING)
  return path && Buffer.byteLength(path) <= LONGEST_PATH ? path : undefined
}

/** Removes sockets that killed processes have left. Never rejects. */
export async function removeLeftSockets(): Promise<void> {
  const folder = ownFolder()
  if (!folder) return
  const names = await readdir(folder).catch(() => [])
  for (const name of names.filter((each) => each.endsWith(ENDING)).slice(0, MOST_LOOKED_AT)) {
    const path = join(folder, name)
    if (await isLeft(path)) await unlink(path).catch(() => {})
  }
}

const isLeft = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy()
      resolve(false)
    })
    socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNREFUSED'))
  })
