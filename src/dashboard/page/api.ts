/** Calls of the dashboard's own routes, below the path of the page. */
import type { Right } from '../rights.js'
import { signal } from './preact.js'

/** Who the user is; undefined before the first answer. */
export interface Me {
  readonly user: string
  readonly rights: readonly Right[]
  readonly readOnly: boolean
  readonly hasLogin: boolean
  readonly environment: string
  readonly space: string
}

export const me = signal<Me | undefined>(undefined)
/** True while the user has to log in. */
export const isOut = signal(false)

export const may = (right: Right): boolean => me.value?.rights.includes(right) === true

/** An answer that is a refusal: its message says which rule. */
export class CallError extends Error {
  readonly status: number
  readonly details: Readonly<Record<string, unknown>>

  constructor(status: number, details: Readonly<Record<string, unknown>>) {
    super(String(details.error ?? `The dashboard answered ${status}.`))
    this.status = status
    this.details = details
  }
}

export const pathOfRoute = (path: string): string => `./api/v1/${path}`

async function call<T>(path: string, options: RequestInit): Promise<T> {
  const response = await fetch(pathOfRoute(path), { credentials: 'same-origin', ...options }).catch(() => {
    throw new CallError(0, { error: 'The dashboard does not answer.' })
  })
  const json = await response.json().catch(() => ({}))
  if (response.ok) return json as T
  if (response.status === 401 && path !== 'login') isOut.value = true
  throw new CallError(response.status, json)
}

export const get = <T>(path: string, values: Readonly<Record<string, string | undefined>> = {}): Promise<T> => {
  const given = Object.entries(values).filter(
    (pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== '',
  )
  const query = new URLSearchParams(given).toString()
  return call<T>(query ? `${path}?${query}` : path, {})
}

export const post = <T = unknown>(path: string, body: object): Promise<T> =>
  call<T>(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })

/** Sends an act, and saves what comes as a file. */
export async function save(path: string, body: object, name: string): Promise<void> {
  const headers = { 'Content-Type': 'application/json' }
  const terms = { method: 'POST', headers, body: JSON.stringify(body), credentials: 'same-origin' } as const
  const response = await fetch(pathOfRoute(path), terms).catch(() => undefined)
  if (!response?.ok) throw new CallError(response?.status ?? 0, (await response?.json().catch(() => ({}))) ?? {})
  const link = document.createElement('a')
  link.href = URL.createObjectURL(await response.blob())
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}

export async function learnMe(): Promise<void> {
  try {
    me.value = await get<Me>('me')
    isOut.value = false
    document.title = `${me.value.space}${me.value.environment ? ` · ${me.value.environment}` : ''} · takespace`
  } catch (error) {
    if ((error as CallError).status !== 401) setTimeout(learnMe, RETRY_MS)
  }
}

const RETRY_MS = 2_000
