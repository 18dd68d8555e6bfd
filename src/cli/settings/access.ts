/** The settings of the connection beside its address: the file of the password, and TLS. */
import { type Command, Option } from 'commander'

/** By the parameter of the address that each becomes. */
export const ACCESS_OPTIONS = {
  passwordFile: new Option('--password-file <file>', 'file of the password of Redis, read for every connection'),
  ca: new Option(
    '--tls-ca <file>',
    'file of the certificate authorities that may have signed the certificate of Redis',
  ),
  cert: new Option('--tls-cert <file>', 'file of the certificate that Redis is shown'),
  key: new Option('--tls-key <file>', 'file of the key of that certificate'),
  servername: new Option('--tls-servername <name>', 'the name that the certificate of Redis must have'),
}

/** Adds these settings to each command that has an address. */
export function addAccess(program: Command): void {
  for (const command of program.commands) {
    addAccess(command)
    // Worker processes get an address that has them.
    if (command.name() === 'worker-process' || !command.options.some(({ long }) => long === '--url')) continue
    for (const { flags, description } of Object.values(ACCESS_OPTIONS))
      command.addOption(new Option(flags, description))
  }
}
