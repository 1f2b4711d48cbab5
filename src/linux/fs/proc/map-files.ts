/** /proc/PID/map_files: for each mapping of a file, named by its first and last address, a link to the file (fs/proc/base.c). */
import { ENOENT, EPERM } from '../../../base/errno.js'
import { NULL, PAGE_SIZE } from '../../../base/numbers.js'
import { VM_MAYWRITE, VM_SHARED } from '../../../space/vm-flags.js'
import { Vma } from '../../../space/vma.js'
import type { Process } from '../../process.js'
import { Capability } from '../capabilities.js'
import { may } from '../credentials.js'
import { userOf } from '../file-user.js'
import type { Dentry } from '../nodes.js'
import type { Vfs } from '../vfs.js'
import { changingDirectory, link, type ProcDirectory, type ProcNode } from './proc-node.js'
import { firstThread, hasEnded } from './process-status.js'

const SHARED_WRITABLE = VM_SHARED | VM_MAYWRITE

/** Who may look at a process may list them; to follow one takes a capability, because a path need not lead to the file. */
export const mapFiles: ProcDirectory = changingDirectory(mapLinks, 0o500)

function mapLinks(vfs: Vfs, process: Process | undefined): Record<string, ProcNode> {
  const found: Record<string, ProcNode> = {}
  if (process === undefined || hasEnded(process, firstThread(process, vfs.env))) return found
  const { mm } = vfs.env
  const vma = new Vma(mm.memory, mm.vmas.first(process.space))
  for (; vma.ptr !== NULL; vma.at(mm.vmas.next(vma.ptr))) {
    if (vma.object !== NULL && vma.special === 0) found[nameOf(vma)] = linkTo(vfs, vma)
  }
  return found
}

function nameOf({ start, end }: Vma): string {
  return `${(start * PAGE_SIZE).toString(16)}-${(end * PAGE_SIZE).toString(16)}`
}

/** Whether the file is open for writing is known of those that are shared only. */
function linkTo(vfs: Vfs, { object, flags }: Vma): ProcNode {
  const isWritable = (flags & SHARED_WRITABLE) === SHARED_WRITABLE
  const target = () => (mayFollow(vfs) ? (fileOf(vfs, object) ?? -ENOENT) : -EPERM)
  return { ...link(target, () => vfs.names.of(object).path), permissions: isWritable ? 0o600 : 0o400 }
}

function mayFollow({ env }: Vfs): boolean {
  const process = env.currentProcess()
  return process === undefined || may(userOf(process).credentials, Capability.administrate)
}

/** Memory that never was a file has none that could be opened. */
function fileOf(vfs: Vfs, object: Vma['object']): Dentry | undefined {
  const dentry = vfs.names.entryOf(object)
  return dentry?.inode.pages === object ? dentry : undefined
}
