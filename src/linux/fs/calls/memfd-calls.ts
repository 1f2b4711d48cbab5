/** memfd_create, and the seals of files that have no other name (mm/memfd.c). */
import { EACCES, EBUSY, EFAULT, EINVAL, ENODEV, EPERM } from '../../../base/errno.js'
import { hugeKind } from '../../../space/huge-pool.js'
import { readSetting, Setting } from '../../../state/settings.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { Memfd, Open, Seal } from '../flags.js'
import { isWritable, type OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { installFile, stringArgument, userOfCall } from './support.js'

const NAME_MAX = 249
const ALL_SEALS = Seal.seal | Seal.shrink | Seal.grow | Seal.write | Seal.futureWrite | Seal.exec
const ALL_WRITES = Seal.shrink | Seal.grow | Seal.write | Seal.futureWrite
const FLAGS = Memfd.closeOnExec | Memfd.allowSealing | Memfd.hugePages | Memfd.noExecSeal | Memfd.executable
/** The logarithm of the size of huge pages. */
const HUGE_SHIFT = 26
const HUGE_MASK = 0x3f

export function memfdCalls(vfs: Vfs): Syscall[] {
  return [
    syscall(279, 'memfd_create', 'sx', (c) => createMemfd(vfs, c)),
    syscall(447, 'memfd_secret', 'x', (c) => createSecret(vfs, c)),
  ]
}

function createSecret(vfs: Vfs, c: SyscallContext): number {
  const flags = c.args.low(0)
  if ((flags & ~Open.closeOnExec) !== 0) return -EINVAL
  const { user, group } = userOfCall(c).credentials
  const dentry = vfs.internal.createSecret(user.files, group.files)
  if (typeof dentry === 'number') return dentry
  const file = vfs.openFile('secret', dentry, Open.readWrite | Open.largeFile)
  return installFile(c, file, (flags & Open.closeOnExec) !== 0)
}

function createMemfd(vfs: Vfs, c: SyscallContext): number {
  const flags = checkFlags(c, c.args.low(1))
  if (flags < 0) return flags
  const name = stringArgument(c, 0, NAME_MAX + 1)
  if (typeof name === 'number') return name === -EFAULT ? -EFAULT : -EINVAL
  const isHuge = (flags & Memfd.hugePages) !== 0
  const huge = isHuge ? hugeKind(flags >>> HUGE_SHIFT) : undefined
  if (isHuge && huge === undefined) return -ENODEV
  const isNoExec = (flags & Memfd.noExecSeal) !== 0
  const dentry = vfs.internal.createFile(`/memfd:${name}`, isNoExec ? 0o666 : 0o777, huge)
  if (typeof dentry === 'number') return dentry
  const isSealable = isNoExec || (flags & Memfd.allowSealing) !== 0
  dentry.inode.seals = (isSealable ? 0 : Seal.seal) | (isNoExec ? Seal.exec : 0)
  const file = vfs.openFile('pages', dentry, Open.readWrite | Open.largeFile)
  return installFile(c, file, (flags & Memfd.closeOnExec) !== 0)
}

/** The flags with what vm.memfd_noexec adds (check_sysctl_memfd_noexec), or -EINVAL, -EACCES. */
function checkFlags({ mm }: SyscallContext, flags: number): number {
  const sizes = (flags & Memfd.hugePages) !== 0 ? HUGE_MASK << HUGE_SHIFT : 0
  const both = Memfd.noExecSeal | Memfd.executable
  if ((flags & ~(FLAGS | sizes)) !== 0 || (flags & both) === both) return -EINVAL
  const setting = readSetting(mm.memory, Setting.memfdNoexec)
  const named = (flags & both) !== 0 ? flags : flags | (setting > 0 ? Memfd.noExecSeal : Memfd.executable)
  return setting === 2 && (named & Memfd.noExecSeal) === 0 ? -EACCES : named
}

function isSealable({ kind, dentry }: OpenFile): boolean {
  const { filesystem } = dentry.inode
  return kind === 'pages' && (filesystem.kind === 'tmpfs' || filesystem.kind === 'hugetlbfs')
}

/** F_GET_SEALS. */
export function sealsOf(file: OpenFile): number {
  return isSealable(file) ? file.dentry.inode.seals : -EINVAL
}

/** F_ADD_SEALS: -EPERM, -EINVAL, -EBUSY while somebody could write through a mapping. */
export function addSeals(vfs: Vfs, file: OpenFile, wanted: number): number {
  if (!isWritable(file)) return -EPERM
  if ((wanted & ~ALL_SEALS) !== 0 || !isSealable(file)) return -EINVAL
  const { inode } = file.dentry
  if ((inode.seals & Seal.seal) !== 0) return -EPERM
  const isProgram = (wanted & Seal.exec) !== 0 && (inode.mode & 0o111) !== 0
  const seals = isProgram ? wanted | ALL_WRITES : wanted
  const deniesWrites = (seals & ~inode.seals & Seal.write) !== 0
  if (deniesWrites && vfs.contents.writableMappings(inode.pages) > 0) return -EBUSY
  if ((seals & (Seal.write | Seal.futureWrite)) !== 0) vfs.contents.sealWrites(inode.pages)
  inode.seals |= seals
  return 0
}
