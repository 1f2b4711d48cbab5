/** What /proc/PID shows of a process's memory itself: its bytes (mem), and what its program was told: arguments, environment, auxiliary vector. */
import { EIO, ESRCH } from '../../../base/errno.js'
import { PAGE_SIZE } from '../../../base/numbers.js'
import { readForced, writeForced } from '../../../fault/forced-copy.js'
import { readAnonymous } from '../../../fault/remote-copy.js'
import type { MemoryManager } from '../../../mm.js'
import type { AddressSpace } from '../../../space/address-space.js'
import type { ProgramParts } from '../../../space/program-parts.js'
import { LockRank } from '../../../state/atomics.js'
import type { Process } from '../../process.js'
import { byteString } from '../text.js'
import type { Vfs } from '../vfs.js'
import { file, type ProcFile, type RawRequest, WITHOUT_MEMORY } from './proc-node.js'

const PAIR = 16

/** The vector that the program was given, or says that it was (PR_SET_MM_AUXV), to its end. */
export function auxiliaryVectorText({ space }: Process, vfs: Vfs): string {
  const bytes = vfs.env.mm.spaces.auxiliaryOf(space)
  let end = PAIR
  while (end < bytes.length && bytes.subarray(end - PAIR, end - PAIR + 8).some((byte) => byte !== 0))
    end += PAIR
  return byteString(bytes.subarray(0, end))
}

type Bounds = Pick<ProgramParts, 'argumentsStart' | 'argumentsEnd' | 'environmentStart' | 'environmentEnd'>

/** All as they were at one moment: a program may be saying where else they are (PR_SET_MM). */
function boundsOf({ atomics }: MemoryManager, { lock, parts }: AddressSpace): Bounds {
  atomics.lock(lock, LockRank.space)
  const { argumentsStart, argumentsEnd, environmentStart, environmentEnd } = parts
  atomics.unlock(lock, LockRank.space)
  return { argumentsStart, argumentsEnd, environmentStart, environmentEnd }
}

/** /proc/PID/cmdline: of the memory that the program has now. */
export const commandLine: ProcFile = {
  ...file(() => ''),
  seeks: 'plain',
  onceEnded: { text: '' },
  raw: {
    read({ vfs, process }: RawRequest, position, target) {
      return process === undefined ? -ESRCH : readCommandLine(vfs.env.mm, process.space, position, target)
    },
  },
}

/**
 * Argument strings as they are, not as they were (get_mm_cmdline). When the last one's end is overwritten the program has given itself a title
 * (setproctitle): that is one string, and may reach into the environment.
 */
function readCommandLine(
  mm: MemoryManager,
  space: AddressSpace,
  position: number,
  target: Uint8Array,
): number {
  const { argumentsStart: start, argumentsEnd: end, environmentStart, environmentEnd } = boundsOf(mm, space)
  if (start >= end) return 0
  const follows = environmentStart === end && environmentEnd >= environmentStart
  const most = (follows ? environmentEnd : end) - start
  if (position >= most) return 0
  const wanted = target.subarray(0, most - position)
  const last = new Uint8Array(1)
  if (readAnonymous(mm, space, end - 1, last) === 1 && last[0] !== 0)
    return readTitle(mm, space, start, position, wanted)
  return position >= end - start
    ? 0
    : readAnonymous(mm, space, start + position, wanted.subarray(0, end - start - position))
}

/** At most a page, with its NUL. */
function readTitle(
  mm: MemoryManager,
  space: AddressSpace,
  start: number,
  position: number,
  target: Uint8Array,
): number {
  if (position >= PAGE_SIZE) return 0
  const page = new Uint8Array(PAGE_SIZE)
  const text = page.subarray(0, readAnonymous(mm, space, start, page))
  const end = text.indexOf(0)
  const part = text.subarray(position, end < 0 ? text.length : end + 1).subarray(0, target.length)
  target.set(part)
  return part.length
}

/** /proc/PID/environ: of the memory that the file was opened for. */
export const environment: ProcFile = {
  ...file(() => '', 0o400),
  seeks: 'plain',
  memory: 'look',
  onceEnded: WITHOUT_MEMORY,
  raw: {
    read({ vfs, space }: RawRequest, position, target) {
      if (space === undefined) return 0
      const { environmentStart: start, environmentEnd: end } = boundsOf(vfs.env.mm, space)
      const wanted = target.subarray(0, Math.max(0, end - start - position))
      return readAnonymous(vfs.env.mm, space, start + position, wanted)
    },
  },
}

/** /proc/PID/mem: -EIO where there is nothing. */
export const memory: ProcFile = {
  ...file(() => '', 0o600),
  memory: 'change',
  onceEnded: WITHOUT_MEMORY,
  raw: {
    read({ vfs, space }: RawRequest, address, target) {
      if (space === undefined || target.length === 0) return 0
      return inParts(target, (part, done) => readForced(vfs.env.mm, space, address + done, part)) || -EIO
    },
    write({ vfs, space }: RawRequest, address, source) {
      if (space === undefined || source.length === 0) return 0
      return inParts(source, (part, done) => writeForced(vfs.env.mm, space, address + done, part)) || -EIO
    },
  },
}

/** mem_rw goes on behind what could be copied, until nothing can: a stack grows there too. */
function inParts(bytes: Uint8Array, copy: (part: Uint8Array, done: number) => number): number {
  for (let done = 0; ; ) {
    const copied = done < bytes.length ? copy(bytes.subarray(done), done) : 0
    if (copied === 0) return done
    done += copied
  }
}
