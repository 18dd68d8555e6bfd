/** The same answer from an Express 5 app with its defaults. */
import express from 'express'

const app = express()
app.get('/', (_req, res) => {
  res.json({ message: 'hello, world', served: 'by the space' })
})
export default app
