/** Certificates for TLS, made by openssl in a folder of the test: an authority, and what it signs. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface Authority extends Certificate {
  /** `names` as in the extension subjectAltName: `DNS:localhost,IP:127.0.0.1`. `days` < 0: it has ended. */
  sign(name: string, names: string, days?: number): Certificate
}

const openssl = (args: readonly string[]): void => void execFileSync('openssl', args, { stdio: 'pipe' })

export function createAuthority(folder: string, name: string): Authority {
  const file = (of: string, ending: string): string => join(folder, `${of}.${ending}`)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const [cert, caKey] = [file(name, 'pem'), file(name, 'key')]
  openssl(['req', '-x509', ...key, '-subj', `/CN=${name}`, '-days', '2', '-keyout', caKey, '-out', cert])
  return {
    cert,
    key: caKey,
    sign(of, names, days = 2) {
      const made = { cert: file(of, 'pem'), key: file(of, 'key') }
      writeFileSync(file(of, 'ext'), `subjectAltName=${names}\n`)
      openssl(['req', ...key, '-subj', `/CN=${of}`, '-keyout', made.key, '-out', file(of, 'csr')])
      const by = ['-CA', cert, '-CAkey', caKey, '-CAcreateserial', '-days', String(days)]
      openssl(['x509', '-req', '-in', file(of, 'csr'), ...by, '-extfile', file(of, 'ext'), '-out', made.cert])
      return made
    },
  }
}
