/** setns(2): a thread enters namespaces, by their files or as somebody else is in them (kernel/nsproxy.c of Linux). */
import { EBADF, EINVAL, EPERM, ESRCH, EUSERS } from '../../../base/errno.js'
import { NULL } from '../../../base/numbers.js'
import { type Namespace, NamespaceFlag, type NamespaceKind, type NamespaceName } from '../../namespaces.js'
import { PidNamespace } from '../../pid-namespace.js'
import { ProcessFlag } from '../../process.js'
import { mayAccess } from '../../process-access.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { TimeNamespace } from '../../time-namespace.js'
import { Capability } from '../capabilities.js'
import { may } from '../credentials.js'
import { pidOf } from '../ipc/pid-file.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { fileArgument, userOfCall } from './support.js'

/** In the order in which those of a process are entered. */
const KINDS = ['user', 'mnt', 'uts', 'ipc', 'pid', 'cgroup', 'net', 'time'] as const
const ALL_FLAGS = Object.values(NamespaceFlag).reduce<number>((all, flag) => all | flag, 0)

export function namespaceCalls(vfs: Vfs): Syscall[] {
  return [syscall(268, 'setns', 'fx', (c) => enter(vfs, c))]
}

function enter(vfs: Vfs, c: SyscallContext): number {
  const file = fileArgument(c, 0)
  if (typeof file === 'number') return -EBADF
  const flags = c.args.int(1)
  const wanted = wantedBy(c, file, flags)
  if (typeof wanted === 'number') return wanted
  for (const namespace of wanted) {
    const refused = checkEntry(c, namespace)
    if (refused < 0) return refused
  }
  for (const namespace of wanted) commit(vfs, c, namespace)
  return 0
}

/** The namespaces that a file stands for: -EINVAL, -ESRCH, -EPERM. */
function wantedBy(c: SyscallContext, file: OpenFile, flags: number): Namespace[] | number {
  const { namespace } = file.dentry.inode
  if (file.kind === 'namespace' && namespace !== null) {
    return flags !== 0 && flags !== NamespaceFlag[namespace.kind] ? -EINVAL : [namespace]
  }
  if (file.kind !== 'pidfd' || flags === 0 || (flags & ~ALL_FLAGS) !== 0) return -EINVAL
  return namespacesOf(c, file, flags)
}

/** Those of the thread behind a pidfd. */
function namespacesOf(c: SyscallContext, file: OpenFile, flags: number): Namespace[] | number {
  const { namespaces, processes, threads } = c.linux
  const { id, isGone } = pidOf(file)
  const thread = isGone ? undefined : threads.byId(id)
  const process = thread === undefined ? processes.get(id) : c.linux.processOf(thread)
  if (isGone || process === undefined) return -ESRCH
  if (mayAccess(c.process, process, 'real') < 0) return -EPERM
  if (thread === undefined) return -ESRCH
  const wanted: NamespaceName[] = KINDS.filter((kind) => (flags & NamespaceFlag[kind]) !== 0)
  return wanted.map((name) => namespaces.of(process, thread, name)!)
}

/** Whether the caller may enter one: 0, -EPERM, and what the kind itself refuses. */
function checkEntry(c: SyscallContext, namespace: Namespace): number {
  const { credentials } = userOfCall(c)
  const { kind } = namespace
  if (kind === 'user') return -EINVAL
  if (kind === 'time' && !isAlone(c)) return -EUSERS
  if (!may(credentials, Capability.administrate)) return -EPERM
  if (kind === 'mnt') return checkMounts(c)
  return namespace instanceof PidNamespace && !namespace.isWithin(c.process.namespace) ? -EINVAL : 0
}

/** Whose directories others have too cannot be sent to another root. */
function checkMounts(c: SyscallContext): number {
  const user = userOfCall(c)
  if (!may(user.credentials, Capability.changeRoot)) return -EPERM
  return user.sharesSurroundings || c.process.threadCount > 1 ? -EINVAL : 0
}

/** Nobody else has the caller's memory (current_is_single_threaded). */
export function isAlone({ mm, process }: SyscallContext): boolean {
  return process.threadCount === 1 && mm.spaces.references(process.space.ptr) === 1
}

const effects: Partial<Record<NamespaceKind, (vfs: Vfs, c: SyscallContext) => void>> = {
  /** A namespace of mounts is entered at its root. */
  mnt(vfs, c) {
    const user = userOfCall(c)
    user.root = vfs.root
    user.cwd = vfs.root
  },
  ipc(_vfs, c) {
    c.process.setFlag(ProcessFlag.undoList, false)
  },
}

function enterTime(c: SyscallContext, namespace: Namespace): void {
  const { namespaces, programs } = c.linux
  const time = namespace instanceof TimeNamespace ? namespace.ptr : NULL
  namespaces.setChildTime(c.thread, time)
  programs.enterTime(c.process, time)
}

function commit(vfs: Vfs, c: SyscallContext, namespace: Namespace): void {
  if (namespace instanceof PidNamespace) c.linux.namespaces.setChildNamespace(c.thread, namespace)
  else if (namespace.kind === 'time') enterTime(c, namespace)
  else effects[namespace.kind]?.(vfs, c)
}
