/** CPU time of whole processes. */
import { spawnSync } from 'node:child_process'
import { ENVIRONMENT } from './environment.js'

const TIMED = 'TIMEFORMAT="%U %S"; time "$@" >&3'

/** Seconds that the program itself says on stderr that it took, in a machine whose own start is left out. */
export function ownSeconds(command: readonly string[], expected?: string): number {
  const { status, stdout, stderr } = spawnSync(command[0]!, command.slice(1), {
    encoding: 'latin1',
    env: ENVIRONMENT,
    timeout: 600_000,
  })
  const time = /^cpu (\d+\.\d+)$/m.exec(stderr)
  if (status !== 0 || time === null) throw new Error(`${command.join(' ')}: status ${status}\n${stderr}`)
  if (expected !== undefined && stdout !== expected)
    throw new Error(`${command.join(' ')} prints something else`)
  return Number(time[1])
}

/** Seconds of user and system time that a command and its children took; throws when it fails. */
export function cpuSeconds(
  command: readonly string[],
  expected?: string,
): { seconds: number; output: string } {
  const { status, stderr, output } = spawnSync('bash', ['-c', TIMED, 'bash', ...command], {
    encoding: 'latin1',
    env: ENVIRONMENT,
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    timeout: 600_000,
  })
  const times = /(\d+\.\d+) (\d+\.\d+)\s*$/.exec(stderr)
  const text = output[3] ?? ''
  if (status !== 0 || times === null) throw new Error(`${command.join(' ')}: status ${status}\n${stderr}`)
  if (expected !== undefined && text !== expected)
    throw new Error(`${command.join(' ')} prints something else`)
  return { seconds: Number(times[1]) + Number(times[2]), output: text }
}
