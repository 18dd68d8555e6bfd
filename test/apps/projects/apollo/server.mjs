/** Apollo Server's standalone server, as its documentation has it. */
import { ApolloServer } from '@apollo/server'
import { startStandaloneServer } from '@apollo/server/standalone'

const typeDefs = `#graphql
  type Book { title: String, author: String }
  type Query { books: [Book], fails: String }
  type Mutation { addBook(title: String, author: String): Book }
`
const books = [
  { title: 'The Awakening', author: 'Kate Chopin' },
  { title: 'City of Glass', author: 'Paul Auster' },
]
const resolvers = {
  Query: {
    books: () => books,
    fails: () => {
      throw new Error('no luck')
    },
  },
  Mutation: { addBook: (_parent, book) => book },
}

const server = new ApolloServer({ typeDefs, resolvers, includeStacktraceInErrorResponses: false })
const { url } = await startStandaloneServer(server, { listen: { port: process.env.PORT || 4000 } })
console.log(`Server ready at: ${url}`)
