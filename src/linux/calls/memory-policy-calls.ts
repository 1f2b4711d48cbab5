/** System calls about memory policies and nodes, of which there is one: those that need a thread or another process. */
import { EINVAL, EPERM, ESRCH } from '../../base/errno.js'
import {
  decodePolicy,
  MPOL_MF_MOVE,
  MPOL_MF_MOVE_ALL,
  sysGetMempolicy,
  sysMbind,
  sysSetMempolicyHomeNode,
} from '../../syscall/memory-policy.js'
import { movePages } from '../../syscall/move-pages.js'
import { readNodes } from '../../syscall/node-mask.js'
import { Capability } from '../fs/capabilities.js'
import { may } from '../fs/credentials.js'
import { userOf } from '../fs/file-user.js'
import type { Process } from '../process.js'
import { mayAccess } from '../process-access.js'
import { type Syscall, syscall } from '../syscall.js'
import type { SyscallContext } from '../syscall-context.js'
import { processNamed } from './numbers.js'

const NODE_0 = 1

function isNice(c: SyscallContext): boolean {
  return may(userOf(c.process).credentials, Capability.nice)
}

function setMempolicy(c: SyscallContext): number {
  const policy = decodePolicy(c.mm, c.space, c.args)
  if (policy < 0) return policy
  c.thread.memoryPolicy = policy
  return 0
}

/** The process of argument 0, 0 being the caller's: -ESRCH, -EPERM. */
function targetOf(c: SyscallContext): Process | number {
  const process = processNamed(c, c.args.int(0))
  if (process === undefined) return -ESRCH
  const refused = mayAccess(c.process, process, 'real')
  return refused < 0 ? refused : process
}

/** Everything is on node 0 already: what is left are the questions whether it may be moved there. */
function migratePages(c: SyscallContext): number {
  const old = readNodes(c.mm, c.space, c.args, 2, 1)
  if (old < 0) return old
  const wanted = readNodes(c.mm, c.space, c.args, 3, 1)
  if (wanted < 0) return wanted
  const process = targetOf(c)
  if (typeof process === 'number') return process
  if ((wanted & ~NODE_0) !== 0 && !isNice(c)) return -EPERM
  return (wanted & NODE_0) === 0 || process.isZombie ? -EINVAL : 0
}

function callMovePages(c: SyscallContext): number {
  const { args } = c
  const flags = args.int(5)
  if ((flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) !== 0) return -EINVAL
  if ((flags & MPOL_MF_MOVE_ALL) !== 0 && !isNice(c)) return -EPERM
  const process = targetOf(c)
  if (typeof process === 'number') return process
  if (process.isZombie) return -EINVAL
  return movePages(c.mm, {
    caller: c.space,
    space: process.space,
    count: args.address(1),
    pages: args.address(2),
    nodes: args.address(3),
    status: args.address(4),
  })
}

export const memoryPolicyCalls: readonly Syscall[] = [
  syscall(235, 'mbind', 'puxpux', (c) => sysMbind(c.mm, c.space, c.args, isNice(c))),
  syscall(236, 'get_mempolicy', 'ppupx', (c) =>
    sysGetMempolicy(c.mm, c.space, c.args, c.thread.memoryPolicy),
  ),
  syscall(237, 'set_mempolicy', 'xpu', setMempolicy),
  syscall(238, 'migrate_pages', 'dupp', migratePages),
  syscall(239, 'move_pages', 'dupppx', callMovePages),
  syscall(450, 'set_mempolicy_home_node', 'puux', (c) => sysSetMempolicyHomeNode(c.mm, c.space, c.args)),
]
