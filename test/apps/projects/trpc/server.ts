/** A tRPC server of the standalone adapter: a query, a mutation, an error, and a subscription over server-sent events. */
import { EventEmitter, on } from 'node:events'
import { initTRPC, TRPCError, tracked } from '@trpc/server'
import { createHTTPServer } from '@trpc/server/adapters/standalone'
import { z } from 'zod'

const t = initTRPC.create()
const users = new Map([['1', { id: '1', name: 'Katt' }]])
const ticks = new EventEmitter()

const appRouter = t.router({
  userById: t.procedure.input(z.string()).query(({ input }) => {
    const user = users.get(input)
    if (!user) throw new TRPCError({ code: 'NOT_FOUND', message: `There is no user ${input}` })
    return user
  }),
  userCreate: t.procedure.input(z.object({ name: z.string().min(3) })).mutation(({ input }) => {
    return { id: '2', ...input }
  }),
  later: t.procedure.input(z.number()).query(async ({ input }) => {
    await new Promise((resolve) => setTimeout(resolve, input))
    return input
  }),
  countdown: t.procedure.input(z.object({ from: z.number() })).subscription(async function* ({ input, signal }) {
    for (let n = input.from; n > 0; n--) {
      const next = on(ticks, 'tick', { signal }).next()
      setTimeout(() => ticks.emit('tick'), 20)
      await next
      yield tracked(String(n), { n })
    }
  }),
})

export type AppRouter = typeof appRouter

createHTTPServer({ router: appRouter }).listen(Number(process.env.PORT ?? 3000))
