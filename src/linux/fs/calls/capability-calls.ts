/** capget(2), as kernel/capability.c: nobody's capabilities were ever changed, so they follow from the user. */
import { EFAULT, EINVAL, ESRCH } from '../../../base/errno.js'
import type { Process } from '../../process.js'
import type { Syscall, SyscallContext } from '../../syscall-context.js'
import { capabilitiesOf } from '../credentials.js'
import { userOf } from '../file-user.js'
import { put, take } from './support.js'

/** Versions of the interface by how many records of three words they have. */
const RECORDS = new Map([
  [0x1998_0330, 1],
  [0x2007_1026, 2],
  [0x2008_0522, 2],
])
const NEWEST = 0x2008_0522

/** The header's version; an unknown one is answered with the newest. */
function recordsOf(c: SyscallContext, header: number): number {
  const version = take(c, header, 4)?.getUint32(0, true)
  if (version === undefined) return -EFAULT
  const records = RECORDS.get(version)
  if (records !== undefined) return records
  return put(c, header, new Uint8Array(Uint32Array.of(NEWEST).buffer)) < 0 ? -EFAULT : -EINVAL
}

function processOf(c: SyscallContext, id: number): Process | undefined {
  const thread = id === 0 ? c.thread : c.linux.threads.byId(id)
  return thread === undefined ? c.linux.processes.get(id) : c.linux.processOf(thread)
}

function capget(c: SyscallContext): number {
  const [header, data] = [c.args.address(0), c.args.address(1)]
  const records = recordsOf(c, header)
  if (data === 0) return records === -EFAULT ? -EFAULT : 0
  if (records < 0) return records
  const id = take(c, header + 4, 4)?.getInt32(0, true)
  if (id === undefined) return -EFAULT
  if (id < 0) return -EINVAL
  const process = processOf(c, id)
  if (process === undefined) return -ESRCH
  const { effective, permitted } = capabilitiesOf(userOf(process).credentials)
  const words = [0, 1].flatMap((word) => [effective[word]!, permitted[word]!, 0])
  return put(c, data, new Uint8Array(Uint32Array.from(words.slice(0, records * 3)).buffer))
}

export const capabilityCalls: readonly Syscall[] = [
  { number: 90, name: 'capget', trace: 'pp', handler: capget },
]
