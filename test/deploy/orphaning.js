// An app whose requests to /orphan start a process that outlives its parent: process 1 of a container inherits it.
import { spawn } from 'node:child_process'
import { setTimeout } from 'node:timers/promises'

export default async (req, res) => {
  if (req.url === '/orphan') {
    await new Promise((resolve) => spawn('sh', ['-c', 'sleep 0.1 &']).on('exit', resolve))
  } else await setTimeout(20)
  res.end('served')
}
