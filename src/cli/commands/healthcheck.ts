/** `takespace healthcheck`: asks a probe of an admin port, for containers without a shell. */
import { isIPv6 } from 'node:net'

interface Flags {
  readonly adminPort: number
  readonly adminHost: string
  readonly timeoutMs: number
}

/** Prints the checks that are not met; the exit code is 1 if there are some, or if nothing answers. */
export async function healthcheck(probe: string, { adminPort, adminHost, timeoutMs }: Flags): Promise<void> {
  const host = ['0.0.0.0', '::'].includes(adminHost) ? '127.0.0.1' : adminHost
  const url = `http://${isIPv6(host) ? `[${host}]` : host}:${adminPort}/${probe}z`
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) }).catch((error: Error) => error)
  if (response instanceof Error) throw new Error(`${url} does not answer: ${causeOf(response)}`)
  const { checks = {} } = (await response.json().catch(() => ({}))) as { checks?: Record<string, string> }
  const unmet = Object.entries(checks).filter(([, check]) => check !== 'ok')
  for (const [name, check] of unmet) process.stdout.write(`${name}: ${check}\n`)
  if (!response.ok) process.exitCode = 1
}

const causeOf = ({ message, cause }: Error): string => (cause instanceof Error ? cause.message : message)
