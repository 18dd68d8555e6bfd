/** The option `tls` of createGateway. */
import { onlyKnown } from '../../src/errors/unknown-option.js'
import { SpaceError } from '../../src/errors.js'

/** A certificate and its key, as files in PEM. */
export interface CertificateFiles {
  /** The certificate, followed by those that lead to a known authority. */
  readonly certFile: string
  readonly keyFile: string
  /** The passphrase of an encrypted key. */
  readonly passphrase?: string | undefined
}

export interface HttpsOptions {
  /**
   * A client gets the first certificate that is valid for the name it asks for (SNI), or the first of all. The files
   * are read again when they change, and by `reloadCertificates()`.
   */
  readonly certificates: readonly CertificateFiles[]
  /** Authorities of client certificates, in PEM. */
  readonly clientCaFile?: string | undefined
  /**
   * `ask`: a valid certificate of a client reaches the app as the field `Client-Cert` (RFC 9440). `require`: a
   * connection without one is refused. Default: clients are not asked.
   */
  readonly clientCertificates?: 'ask' | 'require' | undefined
  /** Default `TLSv1.2`. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
}

const OPTIONS: ReadonlySet<string> = new Set(['certificates', 'clientCaFile', 'clientCertificates', 'minVersion'])
const FILES: ReadonlySet<string> = new Set(['certFile', 'keyFile', 'passphrase'])

/** Throws INVALID_ARGUMENT that names the option. */
export function checkTls(tls: HttpsOptions): HttpsOptions {
  onlyKnown('createGateway tls', tls, OPTIONS)
  const { certificates, clientCaFile, clientCertificates, minVersion = 'TLSv1.2' } = tls
  if (!Array.isArray(certificates) || certificates.length === 0)
    throw invalid('tls.certificates is a list of at least one { certFile, keyFile }.')
  for (const each of certificates) {
    onlyKnown('createGateway tls.certificates', each, FILES)
    if (typeof each.certFile !== 'string' || typeof each.keyFile !== 'string')
      throw invalid('tls.certificates: certFile and keyFile are names of files.')
  }
  if (clientCertificates !== undefined && clientCertificates !== 'ask' && clientCertificates !== 'require')
    throw invalid("tls.clientCertificates is 'ask' or 'require'.")
  if ((clientCertificates === undefined) !== (clientCaFile === undefined))
    throw invalid('tls.clientCertificates and tls.clientCaFile belong together.')
  if (minVersion !== 'TLSv1.2' && minVersion !== 'TLSv1.3') throw invalid("tls.minVersion is 'TLSv1.2' or 'TLSv1.3'.")
  return tls
}

const invalid = (message: string): SpaceError => new SpaceError('INVALID_ARGUMENT', message)
