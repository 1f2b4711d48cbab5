/** capget(2) and capset(2), as kernel/capability.c. */
import { EFAULT, EINVAL, EPERM, ESRCH } from '../../../base/errno.js'
import { idOf, processNamed } from '../../calls/numbers.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { ALL, type CapabilitySet, replaced } from '../capabilities.js'
import { userOf } from '../file-user.js'
import { put, take, userOfCall } from './support.js'

/** Versions of the interface by how many records of three words they have: effective, permitted, inheritable. */
const RECORDS = new Map([
  [0x1998_0330, 1],
  [0x2007_1026, 2],
  [0x2008_0522, 2],
])
const NEWEST = 0x2008_0522
const RECORD_BYTES = 12

/** By the header's version; an unknown one is answered with the newest. */
function recordsOf(c: SyscallContext): number {
  const header = c.args.address(0)
  const version = take(c, header, 4)?.getUint32(0, true)
  if (version === undefined) return -EFAULT
  const records = RECORDS.get(version)
  if (records !== undefined) return records
  return put(c, header, new Uint8Array(Uint32Array.of(NEWEST).buffer)) < 0 ? -EFAULT : -EINVAL
}

/** The header's process number; undefined: it cannot be read. */
function numberOf(c: SyscallContext): number | undefined {
  return take(c, c.args.address(0) + 4, 4)?.getInt32(0, true)
}

function capget(c: SyscallContext): number {
  const data = c.args.address(1)
  const records = recordsOf(c)
  if (data === 0) return records === -EFAULT ? -EFAULT : 0
  if (records < 0) return records
  const id = numberOf(c)
  if (id === undefined) return -EFAULT
  if (id < 0) return -EINVAL
  const process = processNamed(c, id)
  if (process === undefined) return -ESRCH
  const { effective, permitted, inheritable } = userOf(process).credentials.capabilities
  const words = [0, 1].flatMap((word) => [effective[word]!, permitted[word]!, inheritable[word]!])
  return put(c, data, new Uint8Array(Uint32Array.from(words.slice(0, records * 3)).buffer))
}

function capset(c: SyscallContext): number {
  const records = recordsOf(c)
  if (records < 0) return records
  const id = numberOf(c)
  if (id === undefined) return -EFAULT
  if (id !== 0 && idOf(c, id) !== c.thread.id) return -EPERM
  const data = take(c, c.args.address(1), records * RECORD_BYTES)
  if (data === undefined) return -EFAULT
  const word = (record: number, i: number) =>
    record < records ? (data.getUint32(record * RECORD_BYTES + i * 4, true) & ALL[record]!) >>> 0 : 0
  const [effective, permitted, inheritable] = [0, 1, 2].map((i): CapabilitySet => [word(0, i), word(1, i)])
  const wanted = { effective: effective!, permitted: permitted!, inheritable: inheritable! }
  const user = userOfCall(c)
  const capabilities = replaced(user.credentials.capabilities, wanted)
  if (capabilities === undefined) return -EPERM
  user.credentials = { ...user.credentials, capabilities }
  return 0
}

export const capabilityCalls: readonly Syscall[] = [
  syscall(90, 'capget', 'pp', capget),
  syscall(91, 'capset', 'pp', capset),
]
