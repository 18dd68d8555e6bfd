/** An Express app as its documentation starts one: an ES module, and it listens. */
import express from 'express'
import routes from './routes.cjs'

const app = routes(express, import.meta.dirname)
const port = process.env.PORT || 3000

app.listen(port, () => {
  console.log(`Example app listening on port ${port}`)
})
