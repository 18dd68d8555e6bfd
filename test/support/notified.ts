/** A service manager that keeps what it is told: the socket of sd_notify(3), read by Perl, since Node.js has no such sockets. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from '@jest/globals'
import { type Process, startProcess } from './process.js'
import { MEMORY_ONLY } from './redis.js'

const RECEIVER = `
use Socket; $| = 1;
socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die $!;
bind($s, sockaddr_un($ARGV[0])) or die $!;
print "bound\\n";
while (defined recv($s, my $m, 4096, 0)) { $m =~ s/\\n/ /g; print "told $m\\n" }
`

const works = (command: string, args: readonly string[]): boolean => spawnSync(command, args).status === 0

/** Tests that are left out where there is no systemd-notify, or no Perl. */
export const testWithSystemd: typeof test.skip =
  !MEMORY_ONLY && works('systemd-notify', ['--version']) && works('perl', ['-MSocket', '-e', '1']) ? test : test.skip

export interface Notified {
  readonly socket: string
  /** Lines `told MESSAGE`. */
  readonly process: Process
}

export async function listenToNotices(folder: string): Promise<Notified> {
  const socket = join(folder, 'notify.sock')
  const process = startProcess(['perl', '-e', RECEIVER, socket])
  await process.line(/bound/)
  return { socket, process }
}
