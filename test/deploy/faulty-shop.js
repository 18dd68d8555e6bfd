// An app whose requests make each fault of an app: they fail, exit, block, stream, or go on after their clients have left.
const LINGERS_MS = 90_000

/** Writes to the response of a client that has left. */
function linger(res) {
  const writing = setInterval(() => res.write('late'), 500)
  setTimeout(() => {
    clearInterval(writing)
    res.end()
  }, LINGERS_MS)
}

function block(forMs) {
  for (const until = Date.now() + forMs; Date.now() < until; );
}

export const app = (req, res) => {
  if (req.url === '/fails') throw new Error('as told')
  if (req.url === '/exits') process.exit(1)
  if (req.url === '/blocks') block(3_000)
  if (req.url === '/lingers') res.on('close', () => linger(res))
  else if (req.url === '/streams') {
    res.write('x'.repeat(200_000))
    setTimeout(() => res.end(), 1_000)
  } else res.end('served')
}

export const tasks = { double: (n) => 2 * n }
