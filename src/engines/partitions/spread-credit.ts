/**
 * The credit of one offer over several partitions. Each partition has a part of it, and a delivery takes and returns
 * its slot there, so a partition never hands out more than its part, and all of them no more than the credit.
 *
 * Idle credit goes to where entries wait. While there is enough, no partition is left without a free slot. If fewer
 * slots are free than there are partitions, each partition without one has a scout: a registration for entries that
 * become available, which claims nothing. A slot is added in one partition only once it has been withdrawn in another.
 */
import type { EncodedTemplate, Engine, Interest, Offer } from '../../engine.js'

/** The part of the credit in one partition. */
interface Part {
  readonly member: Engine
  readonly offer: Offer
  /** The registration of its scout; '' while it is being registered. */
  scout?: string | undefined
  /** True if entries wait there, as far as this process knows. */
  isWanted?: boolean
}

/** How long after a failure the credit is looked at again. */
const AGAIN_MS = 500

/** With more alternatives the scouts of an offer look at all entries of the kind. */
const MOST_ALTERNATIVES = 8

export class SpreadCredit implements Offer {
  readonly #templates: readonly EncodedTemplate[]
  readonly #onEnded: (spread: SpreadCredit) => void
  #parts: readonly Part[] = []
  #turn: NodeJS.Immediate | undefined
  #again: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #isDue = false
  #isEnded = false

  constructor(template: EncodedTemplate, onEnded: (spread: SpreadCredit) => void) {
    this.#templates = templatesOf(template)
    this.#onEnded = onEnded
  }

  begin(parts: readonly { readonly member: Engine; readonly offer: Offer }[]): void {
    this.#parts = parts.map((part) => ({ ...part }))
    this.changed()
  }

  get standing(): boolean {
    return this.#parts.every(({ offer }) => offer.standing)
  }

  get free(): number {
    return this.#parts.reduce((sum, { offer }) => sum + offer.free, 0)
  }

  async addSlot(): Promise<void> {
    const poorest = this.#parts.reduce((least, part) => (part.offer.free < least.offer.free ? part : least))
    await poorest.offer.addSlot()
    this.changed()
  }

  async withdrawSlot(): Promise<boolean> {
    for (const { offer } of this.#byCredit()) if (offer.free > 0 && (await offer.withdrawSlot())) return true
    return false
  }

  /** Moves nothing from now on. */
  stop(): void {
    this.#isEnded = true
    clearImmediate(this.#turn)
    clearTimeout(this.#again)
    this.#onEnded(this)
  }

  async end(): Promise<void> {
    this.stop()
    await Promise.all(this.#parts.map(({ offer }) => offer.end()))
    await this.#running
    for (const part of this.#parts) this.#recall(part)
  }

  /**
   * A slot was taken or returned. The credit is looked at once per turn of the event loop: a completion that returns a
   * slot brings the next delivery with it.
   */
  changed(): void {
    if (this.#isEnded || this.#turn || this.#parts.length < 2) return
    this.#turn = setImmediate(() => {
      this.#turn = undefined
      this.#look()
    })
  }

  #look(): void {
    const most = Math.max(...this.#parts.map(({ offer }) => offer.free))
    const isDue = this.#parts.some((part) =>
      part.offer.free > 0 ? part.scout !== undefined : most > 1 || (most > 0 && (part.isWanted || !part.scout)),
    )
    if (isDue) this.#run()
  }

  #lookLater(): void {
    clearTimeout(this.#again)
    if (this.#isEnded) return
    this.#again = setTimeout(() => this.changed(), AGAIN_MS).unref()
  }

  #run(): void {
    this.#isDue = true
    this.#running ??= this.#balance().finally(() => {
      this.#running = undefined
    })
  }

  async #balance(): Promise<void> {
    while (this.#isDue && !this.#isEnded) {
      this.#isDue = false
      try {
        await this.#balanceOnce()
      } catch {
        this.#lookLater()
      }
    }
  }

  async #balanceOnce(): Promise<void> {
    for (const part of this.#parts) {
      if (this.#isEnded) return
      if (part.offer.free > 0) {
        part.isWanted = false
        this.#recall(part)
        continue
      }
      // A partition that is away hands out nothing until it is back.
      if (!part.offer.standing) {
        this.#lookLater()
        continue
      }
      const giver = this.#byCredit()[0]!
      if (giver.offer.free > 1 || (giver.offer.free > 0 && part.isWanted)) {
        await this.#move(giver, part)
      } else if (giver.offer.free > 0 && part.scout === undefined) {
        await this.#send(part)
        if (part.offer.free === 0 && (await this.#hasEntry(part))) {
          part.isWanted = true
          this.#isDue = true
        }
      }
    }
  }

  /** Moves a slot, unless it is taken meanwhile: then that delivery is the next change. */
  async #move(from: Part, to: Part): Promise<void> {
    // Its last slot: from here on its scout sees what comes. What is there already was not for this offer.
    if (from.offer.free === 1 && from.offer.standing) await this.#send(from)
    if (this.#isEnded || !(await from.offer.withdrawSlot())) return
    to.isWanted = false
    await to.offer.addSlot()
    this.#recall(to)
  }

  async #send(part: Part): Promise<void> {
    if (part.scout !== undefined) return
    part.scout = ''
    const onSeen = (): void => {
      part.isWanted = true
      this.#recall(part)
      this.changed()
    }
    const interest: Interest = {
      templates: this.#templates,
      on: 'available',
      leaseMs: Number.POSITIVE_INFINITY,
      onEvent: onSeen,
      onMissed: onSeen,
      onEnded: onSeen,
    }
    try {
      const { id } = await part.member.notify(interest)
      // An event may have come before the answer.
      if (part.scout === undefined || this.#isEnded) part.member.cancel(id).catch(() => {})
      else part.scout = id
    } catch (error) {
      part.scout = undefined
      throw error
    }
  }

  #recall(part: Part): void {
    const { scout, member } = part
    part.scout = undefined
    if (scout) member.cancel(scout).catch(() => {})
  }

  async #hasEntry({ member }: Part): Promise<boolean> {
    const found = this.#templates.map((template) => member.find({ template, take: false, waitMs: 0 }))
    return (await Promise.all(found)).some((stored) => stored !== null)
  }

  /** Returns the parts, that with most free slots first. */
  #byCredit(): Part[] {
    return [...this.#parts].sort((a, b) => b.offer.free - a.offer.free)
  }
}

/** Finds and registrations know no alternatives: one template for each. */
function templatesOf(template: EncodedTemplate): EncodedTemplate[] {
  const { anyOf = [], ...whole } = template
  if (anyOf.length === 0 || anyOf.length > MOST_ALTERNATIVES) return [whole]
  return anyOf.map((token) => ({ ...whole, indexed: [...whole.indexed, token] }))
}
