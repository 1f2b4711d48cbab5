/** What /proc/PID shows of a process's memory itself: its bytes (mem), and the auxiliary vector on its stack. */
import { EIO } from '../../../base/errno.js'
import { readForced, writeForced } from '../../../fault/forced-copy.js'
import { copyFromUserPartial } from '../../../fault/user-copy.js'
import type { Process } from '../../process.js'
import { byteString } from '../text.js'
import type { Vfs } from '../vfs.js'
import { file, type ProcFile, type RawRequest } from './proc-node.js'

const WORD = 8
/** Words above the stack pointer that are looked through for the auxiliary vector. */
const STACK_WORDS_MAX = 65536

/** The vector as the program was given it: behind arguments and environment on its stack. */
export function auxiliaryVectorText({ space }: Process, vfs: Vfs): string {
  const { mm } = vfs.env
  const word = new Uint8Array(WORD)
  const zeroAt = (index: number) => {
    if (copyFromUserPartial(mm, space, space.stackStart + index * WORD, word) < WORD) return undefined
    return word.every((byte) => byte === 0)
  }
  let at = 1
  for (let ends = 0; ends < 2; at++) {
    const zero = zeroAt(at)
    if (zero === undefined || at > STACK_WORDS_MAX) return ''
    if (zero) ends++
  }
  const start = at
  while (zeroAt(at) === false && at < start + 128) at += 2
  const bytes = new Uint8Array((at + 2 - start) * WORD)
  const got = copyFromUserPartial(mm, space, space.stackStart + start * WORD, bytes)
  return byteString(bytes.subarray(0, got))
}

/** /proc/PID/mem: -EIO where there is nothing. */
export const memory: ProcFile = {
  ...file(() => '', 0o600),
  memory: 'change',
  needsMemory: true,
  raw: {
    read({ vfs, space }: RawRequest, address, target) {
      if (space === undefined || target.length === 0) return 0
      return readForced(vfs.env.mm, space, address, target) || -EIO
    },
    write({ vfs, space }: RawRequest, address, source) {
      if (space === undefined || source.length === 0) return 0
      return writeForced(vfs.env.mm, space, address, source) || -EIO
    },
  },
}
