/** The settings of HTTPS on the front of a gateway. */
import { Option } from 'commander'
import type { HttpsOptions } from '../../../gateway/index.js'
import { choiceAmong } from './schema.js'

export interface HttpsFlags {
  readonly httpsCert?: string
  readonly httpsKey?: string
  readonly httpsClientCa?: string
  readonly httpsClientCertificates?: 'ask' | 'require'
  readonly h2c?: boolean
}

export const httpsOptions = (): Option[] => [
  new Option('--https-cert <files>', 'files of the certificates for HTTPS, with commas between them'),
  new Option('--https-key <files>', 'files of their keys, in the same order'),
  new Option('--https-client-ca <file>', 'file of the certificate authorities of clients'),
  new Option('--https-client-certificates <how>', 'ask clients for a certificate, or require one').argParser(
    choiceAmong(['ask', 'require']),
  ),
  new Option('--h2c', 'also HTTP/2 without TLS, by prior knowledge'),
]

/** The option `tls` of createGateway among the flags. Throws an error that names the flag if one is missing. */
export function tlsTerms(flags: HttpsFlags): HttpsOptions | undefined {
  const { httpsCert, httpsKey, httpsClientCa: clientCaFile, httpsClientCertificates: clientCertificates } = flags
  const [certs, keys] = [filesIn(httpsCert), filesIn(httpsKey)]
  if (certs.length !== keys.length) throw new Error('--https-cert and --https-key must name as many files.')
  if (certs.length === 0 && (clientCaFile ?? clientCertificates) === undefined) return undefined
  if (certs.length === 0) throw new Error('HTTPS needs --https-cert and --https-key.')
  if ((clientCaFile === undefined) !== (clientCertificates === undefined))
    throw new Error('--https-client-ca and --https-client-certificates belong together.')
  const certificates = certs.map((certFile, i) => ({ certFile, keyFile: keys[i] as string }))
  return { certificates, clientCaFile, clientCertificates }
}

const filesIn = (list: string | undefined): string[] => list?.split(',').map((file) => file.trim()) ?? []
