/** Certificates: read from files, chosen by the name that a client asks for (SNI), and read again when they change. */
import { X509Certificate } from 'node:crypto'
import { unwatchFile, watchFile } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { SpaceError } from '../../src/errors.js'
import type { Logger } from '../../src/log.js'
import type { CertificateFiles, HttpsOptions } from './options.js'

interface Loaded {
  readonly certificate: X509Certificate
  readonly terms: SecureContextOptions
  readonly context: SecureContext
}

/** How often files are looked at. */
const LOOK_MS = 1_000
/** Names that clients have asked for and that are remembered. */
const MOST_NAMES = 1_000

export class Certificates {
  /** Called with the terms of the first certificate, for clients that ask for no name, when they were read again. */
  onReload: ((first: SecureContextOptions) => void) | undefined
  readonly options: HttpsOptions
  readonly #log: Logger
  #loaded: readonly Loaded[] = []
  readonly #byName = new Map<string, SecureContext>()
  readonly #changed = (): void => void this.reload()

  constructor(options: HttpsOptions, log: Logger) {
    this.options = options
    this.#log = log
  }

  /** Reads the files. Throws INVALID_ARGUMENT that names the file. */
  async load(): Promise<void> {
    const { certificates, clientCaFile, minVersion = 'TLSv1.2' } = this.options
    const ca = clientCaFile === undefined ? undefined : await readAuthorities(clientCaFile)
    const loaded: Loaded[] = []
    for (const files of certificates) loaded.push(await loadedFrom(files, { ca, minVersion }))
    this.#loaded = loaded
    this.#byName.clear()
  }

  /** Reads the files again. If one cannot be used, all certificates stay as they are, and the reason is logged. */
  async reload(): Promise<void> {
    try {
      await this.load()
      this.onReload?.(this.first)
      this.#log.info({ certificates: this.#loaded.length }, 'the certificates were read again')
    } catch (err) {
      this.#log.error({ err }, 'a certificate cannot be used; the former ones stay in use')
    }
  }

  /** Reads them again whenever a file changes. */
  watch(): void {
    for (const file of this.#files) watchFile(file, { interval: LOOK_MS, persistent: false }, this.#changed)
  }

  unwatch(): void {
    for (const file of this.#files) unwatchFile(file, this.#changed)
  }

  /** Returns the first certificate for a name; the first of all if there is none. */
  contextFor(name: string): SecureContext {
    const known = this.#byName.get(name)
    if (known) return known
    const fits = this.#loaded.find(({ certificate }) => certificate.checkHost(name, { subject: 'never' }) !== undefined)
    const { context } = fits ?? (this.#loaded[0] as Loaded)
    if (this.#byName.size >= MOST_NAMES) this.#byName.clear()
    this.#byName.set(name, context)
    return context
  }

  /** The terms of the first certificate. */
  get first(): SecureContextOptions {
    return (this.#loaded[0] as Loaded).terms
  }

  get #files(): string[] {
    const { certificates, clientCaFile } = this.options
    const files = certificates.flatMap(({ certFile, keyFile }) => [certFile, keyFile])
    return [...new Set(clientCaFile === undefined ? files : [...files, clientCaFile])]
  }
}

async function loadedFrom(
  { certFile, keyFile, passphrase }: CertificateFiles,
  more: { readonly ca: string | undefined; readonly minVersion: HttpsOptions['minVersion'] },
): Promise<Loaded> {
  const terms: SecureContextOptions = {
    ...more,
    cert: await readPem(certFile),
    key: await readPem(keyFile),
    passphrase,
  }
  try {
    return { certificate: new X509Certificate(terms.cert as string), terms, context: createSecureContext(terms) }
  } catch (cause) {
    throw new SpaceError(
      'INVALID_ARGUMENT',
      `tls: ${certFile} and ${keyFile} are no certificate and its key: ${(cause as Error).message}`,
      { cause },
    )
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*(?:-----END CERTIFICATE-----)?/g

/** Node.js ignores what is no certificate, and would then accept no client. */
async function readAuthorities(file: string): Promise<string> {
  const pem = await readPem(file)
  try {
    const found = pem.match(CERTIFICATE)
    if (!found) throw new Error('there is no certificate in it')
    for (const each of found) new X509Certificate(each)
  } catch (cause) {
    throw new SpaceError(
      'INVALID_ARGUMENT',
      `tls: ${file} must have the certificates of authorities, in PEM: ${(cause as Error).message}`,
      { cause },
    )
  }
  return pem
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new SpaceError('INVALID_ARGUMENT', `tls: ${file} cannot be read: ${(cause as Error).message}`, { cause })
  }
}
