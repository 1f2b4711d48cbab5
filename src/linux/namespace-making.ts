/** Who may make namespaces, or choose process numbers (kernel/nsproxy.c and create_pid_namespace of Linux). */
import { EINVAL, ENOMEM, ENOSPC, EPERM } from '../base/errno.js'
import { Capability } from './fs/capabilities.js'
import { may } from './fs/credentials.js'
import { userOf } from './fs/file-user.js'
import type { Namespaces } from './namespaces.js'
import { NAMESPACE_LEVEL_MAX, type PidNamespace } from './pid-namespace.js'
import type { Process } from './process.js'

/**
 * A namespace below the one where the children of a process's thread are born. -EPERM without CAP_SYS_ADMIN, -EINVAL when that is
 * not the process's own, -ENOSPC at more than 32 levels, -ENOMEM. For the caller to release.
 */
export function makeNamespace(
  namespaces: Namespaces,
  process: Process,
  current: PidNamespace,
): PidNamespace | number {
  if (!mayMakeNamespace(process)) return -EPERM
  if (current !== process.namespace) return -EINVAL
  return current.level >= NAMESPACE_LEVEL_MAX ? -ENOSPC : (namespaces.makePid(current) ?? -ENOMEM)
}

export function mayMakeNamespace(process: Process): boolean {
  return may(userOf(process).credentials, Capability.administrate)
}

/** CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN: set_tid of clone3(2). */
export function mayRestore(process: Process): boolean {
  const { credentials } = userOf(process)
  return may(credentials, Capability.restore) || may(credentials, Capability.administrate)
}
