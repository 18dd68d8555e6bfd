/** graphql-yoga on an http.Server; subscriptions over server-sent events and, with graphql-ws, over a WebSocket. */
import { createServer } from 'node:http'
import { useServer } from 'graphql-ws/use/ws'
import { createSchema, createYoga } from 'graphql-yoga'
import { WebSocketServer } from 'ws'

const yoga = createYoga({
  graphiql: { subscriptionsProtocol: 'WS' },
  schema: createSchema({
    typeDefs: /* GraphQL */ `
      type Query { hello(name: String): String! }
      type Mutation { add(a: Int!, b: Int!): Int! }
      type Subscription { countdown(from: Int!): Int! }
    `,
    resolvers: {
      Query: { hello: (_, { name }) => `Hello ${name ?? 'world'}` },
      Mutation: { add: (_, { a, b }) => a + b },
      Subscription: {
        countdown: {
          async *subscribe(_, { from }) {
            for (let i = from; i >= 0; i--) {
              await new Promise((resolve) => setTimeout(resolve, 30))
              yield { countdown: i }
            }
          },
        },
      },
    },
  }),
})

const httpServer = createServer(yoga)
const wsServer = new WebSocketServer({ server: httpServer, path: yoga.graphqlEndpoint })

useServer(
  {
    execute: (args) => args.rootValue.execute(args),
    subscribe: (args) => args.rootValue.subscribe(args),
    onSubscribe: async (ctx, _id, params) => {
      const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
        ...ctx,
        req: ctx.extra.request,
        socket: ctx.extra.socket,
        params,
      })
      const args = {
        schema,
        operationName: params.operationName,
        document: parse(params.query),
        variableValues: params.variables,
        contextValue: await contextFactory(),
        rootValue: { execute, subscribe },
      }
      const errors = validate(args.schema, args.document)
      if (errors.length) return errors
      return args
    },
  },
  wsServer,
)

httpServer.listen(process.env.PORT ?? 4000)
