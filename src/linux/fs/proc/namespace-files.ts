/** /proc/PID/ns: links to the files of the namespaces that a thread is in (fs/proc/namespaces.c of Linux). */
import { EACCES, ENOENT } from '../../../base/errno.js'
import { NAMESPACE_NAMES, type Namespace, type NamespaceName, namespaceText } from '../../namespaces.js'
import type { Process } from '../../process.js'
import { mayAccess } from '../../process-access.js'
import type { Thread } from '../../thread.js'
import type { FileEnvironment } from '../environment.js'
import { link, ProcDirectory, type ProcNode } from './proc-node.js'
import { hasEnded } from './process-status.js'

type ThreadOf = (process: Process, env: FileEnvironment) => Thread | undefined

export function namespaceFiles(threadOf: ThreadOf): ProcDirectory {
  const links = () => NAMESPACE_NAMES.map((name) => [name, namespaceLink(name, threadOf)] as const)
  return new ProcDirectory([() => Object.fromEntries(links())], 0o511)
}

function namespaceLink(name: NamespaceName, threadOf: ThreadOf): ProcNode {
  return link(
    (vfs, process) => {
      const found = namespaceOf(process, name, threadOf, vfs.env)
      return typeof found === 'number' ? found : vfs.internal.namespaceFile(found)
    },
    (vfs, process) => {
      const found = namespaceOf(process, name, threadOf, vfs.env)
      return typeof found === 'number' ? found : namespaceText(found)
    },
  )
}

/** -EACCES for who may not look into the process, -ENOENT when it has none (any more). */
function namespaceOf(
  process: Process | undefined,
  name: NamespaceName,
  threadOf: ThreadOf,
  env: FileEnvironment,
): Namespace | number {
  const caller = env.currentProcess()
  if (process === undefined) return -EACCES
  if (caller !== undefined && mayAccess(caller, process, 'files') < 0) return -EACCES
  const thread = threadOf(process, env)
  return env.namespaces.of(process, hasEnded(process, thread) ? undefined : thread, name) ?? -ENOENT
}
