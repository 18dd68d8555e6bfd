/** An Express app as its documentation starts one: CommonJS, and it listens. */
const express = require('express')
const routes = require('./routes.cjs')

const app = routes(express, __dirname)
const port = process.env.PORT || 3000

app.listen(port, () => {
  console.log(`Example app listening on port ${port}`)
})
