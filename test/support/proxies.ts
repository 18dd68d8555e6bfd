/** nginx and HAProxy as processes in front of gateways, with the configurations of docs/proxies.md. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, test } from '@jest/globals'
import { freePort } from './port.js'
import { type Process, startProcess } from './process.js'
import { MEMORY_ONLY } from './redis.js'
import { until } from './until.js'

interface Program {
  readonly command: string
  readonly libraryPath: string
}

const pathOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const RECORD = pathOf('.cache/proxies/programs.json')

/** Where `.ci/proxies.mjs` has found no proxies, tests that start one are left out; in CI that is an error. */
const isThere = !MEMORY_ONLY && existsSync(RECORD)
export const describeBehindProxies: (what: string, tests: () => void) => void = isThere ? describe : describe.skip
export const testBehindProxies: (what: string, run: () => Promise<void>) => void = isThere ? test : test.skip

/** Starts a proxy with these arguments. */
export function startProxy(name: 'nginx' | 'haproxy', args: readonly string[]): Process {
  const { command, libraryPath } = (JSON.parse(readFileSync(RECORD, 'utf8')) as Record<string, Program>)[name]!
  return startProcess([command, ...args], { env: libraryPath ? { LD_LIBRARY_PATH: libraryPath } : {} })
}

/** The examples of docs/proxies.md, in their order. */
const examples = (language: string): string[] =>
  Array.from(
    readFileSync(pathOf('docs/proxies.md'), 'utf8').matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms')),
    ([, text]) => text as string,
  )

const EXAMPLES = {
  nginx: examples('nginx')[0]!,
  haproxy: examples('haproxy')[0]!,
  haproxyTcp: examples('haproxy')[1]!,
}

export interface Front {
  /** The port on which the proxy speaks TLS. */
  readonly port: number
  readonly process: Process
  /** Replaces the processes that serve. Resolves when there are others and the old ones have ended. */
  reload(): Promise<void>
}

/**
 * Starts a proxy in `folder` with an example, in which ports and paths are replaced.
 *
 * @param pem the certificate followed by its key
 * @param gateways the ports of two gateways
 * @param edit makes further changes of the example
 */
export async function startFront(
  example: keyof typeof EXAMPLES,
  folder: string,
  pem: string,
  gateways: readonly number[],
  edit: (text: string) => string = (text) => text,
): Promise<Front> {
  const port = await freePort()
  const text = EXAMPLES[example]
    .replace(/\b(listen |bind :)443\b/, (_, word: string) =>
      word === 'bind :' ? `bind 127.0.0.1:${port}` : `${word}${port}`,
    )
    .replace(/\/etc\/ssl\/shop\.(pem|key)/g, pem)
    .replace('127.0.0.1:8080', `127.0.0.1:${gateways[0]}`)
    .replace('127.0.0.1:8081', `127.0.0.1:${gateways[1]}`)
  const name = example === 'nginx' ? 'nginx' : 'haproxy'
  const file = join(folder, `${example}.conf`)
  writeFileSync(file, edit(name === 'nginx' ? inNginx(text, folder) : text))
  const args = name === 'nginx' ? ['-p', folder, '-e', 'stderr', '-c', file] : ['-W', '-db', '-f', file]
  const process = startProxy(name, args)
  let hasEnded = false
  void process.exited.then(() => {
    hasEnded = true
  })
  await until(async () => hasEnded || (await accepts(port)), `${name} accepts connections`)
  if (hasEnded) throw new Error(`${name} has ended. Its output:\n${process.output()}`)
  const reload = async (): Promise<void> => {
    const old = childrenOf(process.pid)
    process.kill(name === 'nginx' ? 'SIGHUP' : 'SIGUSR2')
    await until(() => {
      const now = childrenOf(process.pid)
      return now.length > 0 && !now.some((pid) => old.includes(pid))
    }, `${name} has replaced its processes`)
  }
  return { port, process, reload }
}

const childrenOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)

/** The parts of a configuration that an installation of nginx has, for processes that write into `folder`. */
const inNginx = (text: string, folder: string): string => `
daemon off;
worker_processes 1;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(' ')}
  ${text}
}
`

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
