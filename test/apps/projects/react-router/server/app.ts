/** The request handler as Express middleware, as the template has it. */
import { createRequestHandler } from '@react-router/express'
import express from 'express'

export const app = express()

app.use(
  createRequestHandler({
    // @ts-expect-error a module of the build
    build: () => import('virtual:react-router/server-build'),
  }),
)
