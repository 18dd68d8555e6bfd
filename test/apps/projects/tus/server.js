/** A tus server with the store of files, as the documentation of @tus/server has it. */
const path = require('node:path')
const { FileStore } = require('@tus/file-store')
const { Server } = require('@tus/server')

const server = new Server({
  path: '/files',
  datastore: new FileStore({ directory: path.join(process.env.DATA, 'files') }),
})

server.listen({ host: '127.0.0.1', port: process.env.PORT || 1080 })
