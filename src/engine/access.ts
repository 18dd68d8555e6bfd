/** Access: how a process connects to the server of an engine, beside the address. */

/** How TLS verifies the server, and what it shows the server. PEM: its text, its bytes, or the path of its file. */
export interface TlsOptions {
  /** Certificates of the authorities that may have signed the server's, as PEM. Default: those of Node.js. */
  readonly ca?: string | Buffer | undefined
  /** The certificate of this client, as PEM, if the server asks for one. */
  readonly cert?: string | Buffer | undefined
  /** The private key of `cert`, as PEM. */
  readonly key?: string | Buffer | undefined
  /** The name that the server's certificate must have. Default: the host of the address. */
  readonly servername?: string | undefined
}

/** A user of the server and its password. */
export interface Credentials {
  /** Default `default`. */
  readonly username?: string | undefined
  readonly password: string
}

export interface Access {
  readonly tls?: TlsOptions | undefined
  /** Called for every connection. */
  readonly credentials?: (() => Credentials | Promise<Credentials>) | undefined
}
