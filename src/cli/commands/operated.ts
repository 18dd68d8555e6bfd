/** The space that a command operates on, at its address, or at both while it moves. */
import type { Command } from 'commander'
import { observeSpace, openSpace } from '../../open.js'
import type { Space } from '../../space.js'
import { sharedNextUrl, sharedUrl } from '../settings/shared-url.js'

export interface SpaceFlags {
  readonly url: string
  readonly nextUrl?: string
  readonly name: string
  readonly json?: true
}

export const openOperated = (command: Command, { url, nextUrl, name }: SpaceFlags): Promise<Space> =>
  openSpace(sharedUrl(command, url), { name, nextUrl: sharedNextUrl(command, nextUrl) })

/** Opens it to look, as a user who may only read. While it moves, both addresses are asked, as by any process. */
export const openObserved = (command: Command, flags: SpaceFlags): Promise<Space> =>
  flags.nextUrl === undefined ? observeSpace(sharedUrl(command, flags.url), flags.name) : openOperated(command, flags)
