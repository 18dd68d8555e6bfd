// Makes 10 kB and opens a descriptor every 5 ms, and keeps so many of them. Argument: how many.
import { closeSync, openSync } from 'node:fs'

const most = Number(process.argv[2])
const kept = []
setInterval(() => {
  kept.push({ bytes: Buffer.alloc(10_000, 1), descriptor: openSync('/dev/null') })
  if (kept.length > most) closeSync(kept.shift().descriptor)
}, 5)
console.log('ready')
