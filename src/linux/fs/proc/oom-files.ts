/** /proc/PID/oom_score, and what moves it: oom_score_adj, and oom_adj, which is older (fs/proc/base.c). */
import { EACCES, EINVAL } from '../../../base/errno.js'
import { scoreOf } from '../../out-of-memory.js'
import { type Process, ProcessFlag } from '../../process.js'
import { Capability } from '../capabilities.js'
import { may } from '../credentials.js'
import type { FileEnvironment } from '../environment.js'
import { userOf } from '../file-user.js'
import { NUMBER_MAX, writeNumber } from './number-file.js'
import { type ProcEntries, type ProcNode, processFile } from './proc-node.js'

const SCORE_MAX = 1000
/** The scale of oom_adj: -17 to 15. */
const OLD_MIN = -17
const OLD_MAX = 15

/** Whether who writes has CAP_SYS_RESOURCE. */
function isAdministrator(env: FileEnvironment): boolean {
  const caller = env.currentProcess()
  return caller === undefined || may(userOf(caller).credentials, Capability.resource)
}

/** Others may lower it to what an administrator has last written (oom_score_adj_min). */
function adjust(process: Process, score: number, env: FileEnvironment): number {
  if (Math.abs(score) > SCORE_MAX) return -EINVAL
  const isFree = isAdministrator(env)
  if (score < process.outOfMemoryLeast && !isFree) return -EACCES
  for (const one of adjustedWith(process, env)) {
    one.outOfMemoryScore = score
    if (isFree) one.outOfMemoryLeast = score
  }
  return 0
}

/** In the old scale others may not lower it at all, and what an administrator writes is not what they may lower it to. */
function adjustInOldScale(process: Process, value: number, env: FileEnvironment): number {
  if (value < OLD_MIN || value > OLD_MAX) return -EINVAL
  const score = value === OLD_MAX ? SCORE_MAX : Math.trunc((value * SCORE_MAX) / -OLD_MIN)
  if (score < process.outOfMemoryScore && !isAdministrator(env)) return -EACCES
  for (const one of adjustedWith(process, env)) one.outOfMemoryScore = score
  return 0
}

/** The process and all that share its memory, but for those that will not for long (vfork). */
function adjustedWith(process: Process, { processes }: FileEnvironment): Process[] {
  const isBrief = (it: Process) => it.hasFlag(ProcessFlag.vforked)
  if (process.isZombie || isBrief(process)) return [process]
  const shares = (it: Process) => !it.isZombie && it.space.ptr === process.space.ptr && !isBrief(it)
  return [...processes.values()].filter(shares)
}

function oldScale(score: number): number {
  if (score === SCORE_MAX) return OLD_MAX
  return Math.min(OLD_MAX, Math.trunc((score * -OLD_MIN) / SCORE_MAX) + 0)
}

/** A file with a number, of which only the first bytes that are written are looked at and taken. */
function numberFile(
  get: (process: Process) => number,
  set: (process: Process, value: number, env: FileEnvironment) => number,
): ProcNode {
  return {
    seeks: 'plain',
    ...processFile((process) => `${get(process)}\n`, 0o644),
    write: (source, process, env) =>
      writeNumber((of, value) => set(of, value, env))(source.subarray(0, NUMBER_MAX), process),
  }
}

export const outOfMemoryFiles = (): ProcEntries => ({
  oom_score: processFile((process, _vfs, { mm }) => `${scoreOf(mm, process)}\n`),
  oom_adj: numberFile(({ outOfMemoryScore }) => oldScale(outOfMemoryScore), adjustInOldScale),
  oom_score_adj: numberFile(({ outOfMemoryScore }) => outOfMemoryScore, adjust),
})
