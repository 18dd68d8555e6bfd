/** A private npm registry, run by its Node.js API as the documentation has it. */
const path = require('node:path')
const { runServer } = require('verdaccio')

runServer(path.join(__dirname, 'config.yaml')).then((app) => {
  app.listen(process.env.PORT || 4873, () => {
    console.log('verdaccio is ready')
  })
})
