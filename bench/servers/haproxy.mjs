/** A HAProxy of the benchmark's own, ended with the children of its run. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { program } from './programs.mjs'

/**
 * @param balance the policy, such as `leastconn`
 * @param ports of the servers on loopback
 * @param maxconn requests that each server is sent at a time; others wait in HAProxy
 * @param backend further lines of the backend, such as `retries 3`
 * @param server words behind each server, such as `check inter 1s`
 */
export async function startHaproxy(
  { children, freePort, folder },
  { balance, ports, maxconn, backend = [], server = '' },
) {
  const { command, env } = program('haproxy')
  const port = await freePort()
  const limit = maxconn ? `maxconn ${maxconn}` : ''
  const file = join(folder, `haproxy-${port}.cfg`)
  const lines = [
    'global',
    '  maxconn 4000',
    'defaults',
    '  mode http',
    '  timeout connect 5s',
    '  timeout client 60s',
    '  timeout server 60s',
    '  timeout queue 60s',
    'listen front',
    `  bind 127.0.0.1:${port}`,
    `  balance ${balance}`,
    ...backend.map((line) => `  ${line}`),
    ...ports.map((each, i) => `  server s${i} 127.0.0.1:${each} ${limit} ${server}`.trimEnd()),
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const child = children.program('haproxy', command, ['-db', '-f', file], env)
  return { target: `http://127.0.0.1:${port}/`, pid: child.pid }
}
