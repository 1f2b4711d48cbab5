/** Files of /proc/PID that a number is written to. */
import { EINVAL, ESRCH } from '../../../base/errno.js'
import type { Process } from '../../process.js'
import { byteString } from '../text.js'

/** Bytes of a number that are looked at. */
export const NUMBER_MAX = 12

/** A number as kstrtoint() takes it: decimal, 0x, or octal with a 0; blanks around it. */
export function writeNumber(set: (process: Process, value: number) => number) {
  return (source: Uint8Array, process: Process | undefined): number => {
    const text = byteString(source.subarray(0, NUMBER_MAX)).trim()
    const isNumber = /^[+-]?(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)$/i.test(text)
    if (process === undefined) return -ESRCH
    if (!isNumber) return -EINVAL
    const digits = text.replace(/^[+-]/, '')
    const base = /^0x/i.test(digits) ? 16 : digits.startsWith('0') ? 8 : 10
    const value = Number.parseInt(digits.replace(/^0x/i, ''), base) * (text.startsWith('-') ? -1 : 1)
    const result = set(process, value)
    return result < 0 ? result : source.length
  }
}
