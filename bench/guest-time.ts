/** CPU time of whole processes. */
import { spawnSync } from 'node:child_process'

const TIMED = 'TIMEFORMAT="%U %S"; time "$@" >&3'

/** Seconds of user and system time that a command and its children took; throws when it fails. */
export function cpuSeconds(
  command: readonly string[],
  expected?: string,
): { seconds: number; output: string } {
  const { status, stderr, output } = spawnSync('bash', ['-c', TIMED, 'bash', ...command], {
    encoding: 'latin1',
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
