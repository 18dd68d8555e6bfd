/** An app of this command, and what its client script is given. */

export type Way = 'direct' | 'gateway' | 'dev'

export const WAYS: readonly Way[] = ['direct', 'gateway', 'dev']

export interface App {
  /** For `--only`, and the name of its folder in `.cache/apps`. */
  readonly name: string
  /** Its folder in `test/apps/projects`. */
  readonly project: string
  readonly packages: Readonly<Record<string, string>>
  /** Versions of packages that they need in turn; only where npm cannot find those that they ask for. */
  readonly overrides?: Readonly<Record<string, string>>
  /** `type` of its package.json; absent: none, which is CommonJS. */
  readonly type?: 'module'
  /** Command that is run once after the install, in the app's folder. */
  readonly build?: readonly string[]
  /** The app file that `takespace worker` and `takespace dev` are given. */
  readonly file: string
  /** How its documentation starts it, if not with `node <file>`. */
  readonly direct?: readonly string[]
  /** Processes of the worker. */
  readonly processes: number
  /** Why not more processes, if it is one. */
  readonly whyOne?: string
  readonly env?: Readonly<Record<string, string>>
  /** Flags of gateway and dev, such as a larger `--max-body-bytes`. */
  readonly flags?: readonly string[]
  readonly differences?: readonly Difference[]
}

/** A difference that is no error. */
export interface Difference {
  /** Matches `<record> <field>`, such as `GET / header etag`. */
  readonly at: RegExp
  readonly ways: readonly Way[]
  readonly reason: string
}

/** The app as it runs in one of the ways; what the default export of a project's `client.mjs` is called with. */
export interface Site {
  readonly way: Way
  /** Without a slash at its end. */
  readonly url: string
  /** Where the app is installed. */
  readonly folder: string
  /** An empty folder of this run; the app has its path in DATA. */
  readonly data: string
  /** Asks for a path and records status, fields and body under `<method> <path>`. */
  ask(method: string, path: string, options?: Asked): Promise<Answer>
  /** Records what was observed in another way. */
  record(name: string, value: unknown): void
  /** Resolves when a process of the app has written a line that matches. */
  line(pattern: RegExp): Promise<unknown>
  /** Ends one process that runs the app by SIGKILL and resolves when its successor serves: the supervisor's, else one started again as systemd would. */
  crash(): Promise<void>
  /** Resolves with what all processes of the app have written when they have ended after a SIGTERM. */
  stop(): Promise<string>
}

export interface Asked {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** Records under this name instead. */
  readonly as?: string
  /** Replaces in fields and body what differs from run to run. */
  readonly mask?: readonly (readonly [RegExp, string])[]
}

export interface Answer {
  readonly status: number
  readonly reason: string
  /** Names in lower case, in order of name, values of a repeated field in their order. */
  readonly fields: readonly (readonly [string, string])[]
  readonly body: Buffer
}
