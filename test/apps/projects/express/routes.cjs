/** The routes of the Express apps, for either module system. */
module.exports = (express, folder) => {
  const app = express()
  app.use(express.json())
  app.use(express.urlencoded({ extended: false }))
  app.use('/static', express.static(`${folder}/public`))

  app.get('/', (req, res) => {
    res.send('Hello World!')
  })

  app.get('/users/:id', (req, res) => {
    res.json({ id: req.params.id, query: req.query, url: req.originalUrl, protocol: req.protocol })
  })

  app.post('/users', (req, res) => {
    res.status(201).location('/users/7').json(req.body)
  })

  app.get('/cookies', (req, res) => {
    res
      .cookie('a', '1', { httpOnly: true })
      .cookie('b', 'two words')
      .send(req.get('Cookie') ?? 'none')
  })

  app.get('/old', (req, res) => {
    res.redirect('/')
  })

  app.get('/lines', async (req, res) => {
    res.type('text/plain')
    for (const line of ['one', 'two', 'three']) {
      res.write(`${line}\n`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    res.end()
  })

  app.get('/broken', () => {
    throw new Error('broken')
  })
  return app
}
