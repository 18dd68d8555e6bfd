/** The load generator wrk, on keep-alive connections: it costs less than one in Node.js, which leaves more to what is measured. */
import { spawn } from 'node:child_process'
import { begin, options, tell } from './parent.mjs'

const { target, command, env } = options
const UNITS = { us: 0.001, ms: 1, s: 1_000, m: 60_000 }
const WARM_UP_SECONDS = 1

function load(connections, seconds) {
  const args = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, '--timeout', '10s', '--latency', target]
  const wrk = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  process.once('exit', () => wrk.kill('SIGKILL'))
  let said = ''
  wrk.stdout.on('data', (chunk) => {
    said += chunk
  })
  return new Promise((resolve, reject) => {
    wrk.once('error', reject)
    wrk.once('close', (code) => (code === 0 ? resolve(said) : reject(new Error(`wrk ended with ${code}: ${said}`))))
  })
}

const numberIn = (text, pattern) => Number(pattern.exec(text)?.[1] ?? 0)

function percentileIn(text, percent) {
  const [, value, unit] = new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(us|ms|s|m)`, 'm').exec(text) ?? []
  return Number(value) * UNITS[unit]
}

function failuresIn(text) {
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? []
  const others = numberIn(text, /Non-2xx or 3xx responses: (\d+)/)
  return sockets.reduce((sum, count) => sum + Number(count), others)
}

for (;;) {
  const { connections, seconds } = { ...options, ...(await begin()) }
  const warm = await load(connections, WARM_UP_SECONDS)
  tell('measuring')
  const text = await load(connections, seconds)
  const errors = failuresIn(warm) + failuresIn(text)
  const result = {
    perSecond: numberIn(text, /Requests\/sec:\s+([\d.]+)/),
    p50: percentileIn(text, 50),
    p99: percentileIn(text, 99),
    errors,
    ...(errors > 0 && { firstError: text.trim().split('\n').slice(-4).join(' ') }),
  }
  tell('measured', { result })
}
