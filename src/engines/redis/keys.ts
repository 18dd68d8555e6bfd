/**
 * Every name that takespace gives to something in Redis. All names of a space begin with one hash tag, so that on a Cluster they stand
 * in one slot; the library makes its keys by adding to that prefix, as this table says.
 *
 * | suffix              | type   | what                                                                  | ends with        |
 * |---------------------|--------|-----------------------------------------------------------------------|------------------|
 * | `m`                 | string | the counters, packed: run id, lease clock, tokens, order, sweep       | the space        |
 * | `e`                 | hash   | id → record (record.lua)                                              | leases           |
 * | `b<id>`, `b<claim>` | string | a large body of an entry, of an outcome                               | its entry; a TTL |
 * | `B`                 | hash   | id → bytes of its large body, once somebody has bounded them          | leases           |
 * | `f@<kind>`          | zset   | the free entries of a kind and the kinds that extend it, by score     | leases           |
 * | `f=<root>\|f=<token>` | zset | the free entries with this value in this field, by score              | leases           |
 * | `wt@…`, `wr@…`      | zset   | who waits to take, to read, with one signature; by credit and order   | sessions         |
 * | `W`, `Wn`           | hash   | which shapes of template wait, and how many of each                   | sessions         |
 * | `x<second>`         | list   | ids to be looked at by the sweep in that second                       | the sweep        |
 * | `K`                 | hash   | the roots of all kinds that were written, and what is indexed there   | the space        |
 * | `S`                 | zset   | sessions, by the end of their leases                                  | sessions         |
 * | `s<presence>`        | hash   | the run id it subscribed in; when it was opened; the last 64 answers | presence          |
 * | `c<presence>`        | set    | what it holds: `id:token`, `!` behind it once it has started          | presence          |
 * | `o<presence>`        | hash   | id → outcome, until it has said that it arrived                       | presence          |
 * | `p<presence>`        | hash   | its waits                                                             | presence          |
 * | `D`                 | hash   | id → presence: who holds a request that a holder has died with         | sessions         |
 * | `T`, `N`            | zset   | transactions, and registrations, by the end of their leases           | leases           |
 * | `t<tx>`, `u<tx>`    | set, zset | what a transaction did; what it has written, by score              | transactions     |
 * | `r@<kind>`, `r=…`   | zset   | what transactions have read, as `f@` and `f=`                         | transactions     |
 * | `R`                 | hash   | id → the transactions that have read it                               | transactions     |
 * | `I`                 | set    | the waits that wait only for what transactions hold                   | sessions         |
 * | `wn@…`              | zset   | registrations, with one signature                                     | leases           |
 * | `q<presence>`        | hash   | its registrations: the number of the last event, how many templates   | presence          |
 * | `Y`                 | zset   | session entries, by when they are to be looked at                     | leases           |
 * | `h<id>`             | string | a session entry: its head, then its attributes                        | its lease        |
 * | `y<owner>`          | set    | the session entries of one owner                                      | leases           |
 * | `Z`                 | string | how many bytes all session entries have                               | leases           |
 * | `G`, `L`            | hash, zset | who has locked a session entry, and until when                        | sessions; time   |
 * | `!<presence>`        | channel | what it is handed                                                    |                  |
 * | `~<presence>`        | channel | streams: bytes from other processes, none of which are kept           |                  |
 */
export interface Keys {
  /** The one declared key of every call; its name without the last letter is the prefix. */
  readonly meta: string
  channel(presence: string): string
  /** Messages of other processes to this one. */
  messages(presence: string): string
  /** A body too large to pass through a function. */
  body(id: string): string
  /** What a session entry holds. */
  sessionEntry(id: string): string
  /** One per claim: what a former holder still answers must not take the place of what was accepted. */
  outcomeBody(claim: string): string
}

export function keysOf(space: string): Keys {
  // Percent-encoding leaves no brace in the name, so nothing in it can steer the hash tag.
  const prefix = `{ts:${encodeURIComponent(space)}}:`
  return {
    meta: `${prefix}m`,
    channel: (presence) => `${prefix}!${presence}`,
    messages: (presence) => `${prefix}~${presence}`,
    body: (id) => `${prefix}b${id}`,
    sessionEntry: (id) => `${prefix}h${id}`,
    outcomeBody: (claim) => `${prefix}b${claim}`,
  }
}
