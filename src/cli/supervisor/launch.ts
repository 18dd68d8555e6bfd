/** Launches the processes of a supervisor: with a channel, and a pipe for reports of a blocked event loop. */
import { type ChildProcess, fork } from 'node:child_process'
import cluster from 'node:cluster'
import { fileURLToPath } from 'node:url'
import { PROGRAM } from '../places.js'

/** Starts this program with a command line. */
export type Launch = (args: readonly string[], env: NodeJS.ProcessEnv) => ChildProcess

const program = fileURLToPath(PROGRAM)

/** Output as of this process, then the channel, then the pipe BLOCKED_LOOP_FD. */
const STDIO = ['inherit', 'inherit', 'inherit', 'ipc', 'pipe'] as const

export const launch: Launch = (args, env) => fork(program, args, { env, stdio: [...STDIO] })

/**
 * The same, for processes that listen on the same port: each accepts from one socket, which the supervisor keeps.
 * Connections that wait in it outlive a process. A socket per process (SO_REUSEPORT) loses them, needs Node 22 and has no
 * port 0; a supervisor that accepts and passes on (SCHED_RR) takes half as much time again for each connection.
 */
export const launchSharingPort: Launch = (args, env) => {
  cluster.schedulingPolicy = cluster.SCHED_NONE
  cluster.setupPrimary({ exec: program, args: [...args], stdio: [...STDIO] })
  return cluster.fork(env).process
}
