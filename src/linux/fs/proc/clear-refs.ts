/** /proc/PID/clear_refs: what is written to it makes the kernel forget (clear_refs_write of fs/proc/task_mmu.c). */
import { EINVAL, ERANGE, ESRCH } from '../../../base/errno.js'
import { clearReferenced } from '../../../space/clear-referenced.js'
import { LockRank } from '../../../state/atomics.js'
import type { Process } from '../../process.js'
import type { FileEnvironment } from '../environment.js'
import { byteString } from '../text.js'
import { file, type ProcFile } from './proc-node.js'

/** Bytes of the number that are looked at. */
const NUMBER_MAX = 12
const INT_MAX = 2 ** 31 - 1

/** What the numbers from 1 on are for. The fourth is for soft-dirty bits, which riscv64 has none of. */
const ABOUT = [undefined, 'all', 'others', 'files', 'softDirty', 'peak'] as const

export const clearRefs: ProcFile = {
  ...file(() => -EINVAL, 0o200),
  seeks: 'still',
  write: (source, process, env) => {
    const text = byteString(source.subarray(0, NUMBER_MAX))
    const what = numberOf(text.trim())
    if (what < 0) return what
    if (process === undefined) return -ESRCH
    clear(process, env, ABOUT[what]!)
    return text.length
  },
}

/** 1 to 5, or -EINVAL, -ERANGE. */
function numberOf(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) return -EINVAL
  const value = Number(text)
  if (Math.abs(value) > INT_MAX) return -ERANGE
  return value >= 1 && value < ABOUT.length ? value : -EINVAL
}

function clear(process: Process, { mm }: FileEnvironment, what: NonNullable<(typeof ABOUT)[number]>): void {
  if (process.isZombie) return
  const { space } = process
  mm.atomics.lock(space.lock, LockRank.space)
  if (what === 'peak') space.counts.peakRss = space.counts.rssPages
  else if (what !== 'softDirty') clearReferenced(mm, space, what)
  mm.atomics.unlock(space.lock, LockRank.space)
}
