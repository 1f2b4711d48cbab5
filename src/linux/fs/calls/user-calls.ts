/** Users and groups of a process: setuid(2) and its kin, with the rules of kernel/sys.c. */
import { EFAULT, EINVAL, EPERM } from '../../../base/errno.js'
import { ProcessFlag } from '../../process.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { afterFilesUser, afterUsers, Capability } from '../capabilities.js'
import { type Credentials, type Ids, isAnother, may } from '../credentials.js'
import { put, take, userOfCall } from './support.js'

/** -1: this one stays as it is. */
const SAME = 0xffff_ffff
const GROUPS_MAX = 65536

type Kind = 'user' | 'group'

export const userCalls: readonly Syscall[] = [
  syscall(143, 'setregid', 'dd', (c) => setTwo(c, 'group')),
  syscall(144, 'setgid', 'd', (c) => setOne(c, 'group')),
  syscall(145, 'setreuid', 'dd', (c) => setTwo(c, 'user')),
  syscall(146, 'setuid', 'd', (c) => setOne(c, 'user')),
  syscall(147, 'setresuid', 'ddd', (c) => setThree(c, 'user')),
  syscall(148, 'getresuid', 'ppp', (c) => getThree(c, 'user')),
  syscall(149, 'setresgid', 'ddd', (c) => setThree(c, 'group')),
  syscall(150, 'getresgid', 'ppp', (c) => getThree(c, 'group')),
  syscall(151, 'setfsuid', 'd', (c) => setFiles(c, 'user')),
  syscall(152, 'setfsgid', 'd', (c) => setFiles(c, 'group')),
  syscall(158, 'getgroups', 'dp', getGroups),
  syscall(159, 'setgroups', 'dp', setGroups),
  syscall(174, 'getuid', '', (c) => of(c).user.real),
  syscall(175, 'geteuid', '', (c) => of(c).user.effective),
  syscall(176, 'getgid', '', (c) => of(c).group.real),
  syscall(177, 'getegid', '', (c) => of(c).group.effective),
]

function of(c: SyscallContext): Credentials {
  return userOfCall(c).credentials
}

/** CAP_SETUID, CAP_SETGID. */
function isFree(c: SyscallContext, kind: Kind): boolean {
  return may(of(c), kind === 'user' ? Capability.setUser : Capability.setGroup)
}

function become(c: SyscallContext, kind: Kind, ids: Ids, follow = afterUsers): number {
  const user = userOfCall(c)
  const before = user.credentials
  const capabilities = kind === 'user' ? follow(before.capabilities, before.user, ids) : before.capabilities
  user.credentials = { ...before, [kind]: ids, capabilities }
  // fs.suid_dumpable is 0.
  if (isAnother(before, user.credentials)) {
    c.process.setFlag(ProcessFlag.notDumpable, true)
    c.thread.deathSignal = 0
  }
  return 0
}

/** setuid, setgid. */
function setOne(c: SyscallContext, kind: Kind): number {
  const id = c.args.low(0)
  const before = of(c)[kind]
  if (id === SAME) return -EINVAL
  if (isFree(c, kind)) return become(c, kind, { real: id, effective: id, saved: id, files: id })
  if (id !== before.real && id !== before.saved) return -EPERM
  return become(c, kind, { ...before, effective: id, files: id })
}

/** setreuid, setregid: the saved one follows when the real one is set, or the effective one to another than the real. */
function setTwo(c: SyscallContext, kind: Kind): number {
  const [real, effective] = [c.args.low(0), c.args.low(1)]
  const before = of(c)[kind]
  if (!isFree(c, kind)) {
    if (![SAME, before.real, before.effective].includes(real)) return -EPERM
    if (![SAME, before.real, before.effective, before.saved].includes(effective)) return -EPERM
  }
  const next = effective === SAME ? before.effective : effective
  const isSaved = real !== SAME || (effective !== SAME && effective !== before.real)
  return become(c, kind, {
    real: real === SAME ? before.real : real,
    effective: next,
    saved: isSaved ? next : before.saved,
    files: next,
  })
}

/** setresuid, setresgid. */
function setThree(c: SyscallContext, kind: Kind): number {
  const before = of(c)[kind]
  const asked = [c.args.low(0), c.args.low(1), c.args.low(2)]
  const known = [SAME, before.real, before.effective, before.saved]
  if (!isFree(c, kind) && asked.some((id) => !known.includes(id))) return -EPERM
  const [real, effective, saved] = [before.real, before.effective, before.saved].map((id, i) =>
    asked[i] === SAME ? id : asked[i]!,
  )
  return become(c, kind, { real: real!, effective: effective!, saved: saved!, files: effective! })
}

function getThree(c: SyscallContext, kind: Kind): number {
  const { real, effective, saved } = of(c)[kind]
  for (const [i, id] of [real, effective, saved].entries()) {
    if (put(c, c.args.address(i), new Uint8Array(Uint32Array.of(id).buffer)) !== 0) return -EFAULT
  }
  return 0
}

/** Answers the one before, whether it could be set or not. */
function setFiles(c: SyscallContext, kind: Kind): number {
  const id = c.args.low(0)
  const before = of(c)[kind]
  const allowed = isFree(c, kind) || Object.values(before).includes(id)
  if (id !== SAME && allowed) become(c, kind, { ...before, files: id }, afterFilesUser)
  return before.files
}

function getGroups(c: SyscallContext): number {
  const { groups } = of(c)
  const room = c.args.int(0)
  if (room < 0 || (room !== 0 && room < groups.length)) return -EINVAL
  if (room === 0 || groups.length === 0) return groups.length
  const bytes = new Uint8Array(Uint32Array.from(groups).buffer)
  return put(c, c.args.address(1), bytes) === 0 ? groups.length : -EFAULT
}

function setGroups(c: SyscallContext): number {
  const count = c.args.low(0)
  if (!isFree(c, 'group')) return -EPERM
  if (count > GROUPS_MAX) return -EINVAL
  const view = count === 0 ? new DataView(new ArrayBuffer(0)) : take(c, c.args.address(1), count * 4)
  if (view === undefined) return -EFAULT
  const groups = Array.from({ length: count }, (_, i) => view.getUint32(i * 4, true))
  const user = userOfCall(c)
  user.credentials = { ...user.credentials, groups: groups.sort((a, b) => a - b) }
  return 0
}
