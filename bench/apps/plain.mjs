/** The smallest app: a bare `(req, res)` function that answers everything with a little JSON. */
const BODY = JSON.stringify({ message: 'hello, world', served: 'by the space' })

export default function app(_req, res) {
  res.setHeader('Content-Type', 'application/json; charset=utf-8')
  res.setHeader('Content-Length', BODY.length)
  res.end(BODY)
}
