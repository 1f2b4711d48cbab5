/**
 * Whether one process may look into another, or change it: ptrace_may_access of kernel/ptrace.c with the capabilities' part of
 * security/commoncap.c. Asked for memory, for files of /proc about it, and for what is left of a robust list.
 */
import { EPERM } from '../base/errno.js'
import { Capability, isSubset } from './fs/capabilities.js'
import { type Credentials, may } from './fs/credentials.js'
import { userOf } from './fs/file-user.js'
import { type Process, ProcessFlag } from './process.js'

/** As whom the caller asks: the user that opens files (/proc), or the real one (system calls that name a process). */
export type AskingAs = 'files' | 'real'

/** 0, or -EPERM. */
export function mayAccess(caller: Process, target: Process, as: AskingAs): number {
  if (caller === target) return 0
  const who = userOf(caller).credentials
  const whose = userOf(target).credentials
  if (may(who, Capability.trace)) return 0
  if (!isSameUser(who, whose, as) || target.hasFlag(ProcessFlag.notDumpable)) return -EPERM
  const { effective, permitted } = who.capabilities
  return isSubset(whose.capabilities.permitted, as === 'files' ? effective : permitted) ? 0 : -EPERM
}

/** All of the target's ids but those that open files are the caller's. */
function isSameUser(who: Credentials, whose: Credentials, as: AskingAs): boolean {
  const isAll = (kind: 'user' | 'group') => {
    const { real, effective, saved } = whose[kind]
    const asking = as === 'files' ? who[kind].files : who[kind].real
    return [real, effective, saved].every((id) => id === asking)
  }
  return isAll('user') && isAll('group')
}
