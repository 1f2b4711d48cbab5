/** mbind(2) and its kin, decoded (mm/mempolicy.c of Linux 6.12), for a machine whose pages are all on node 0. */
import { EntryFlag } from '../arch/memory-management-arch.js'
import { EFAULT, EINVAL, EIO, EPERM } from '../base/errno.js'
import { NULL, type Vpn } from '../base/numbers.js'
import type { FaultEnv } from '../fault/fault.js'
import { touchRemote } from '../fault/remote-copy.js'
import { storeUser32 } from '../fault/user-copy.js'
import { UserMapper } from '../paging/user-mapper.js'
import type { AddressSpace } from '../space/address-space.js'
import {
  bindRange,
  makePolicy,
  modeOf,
  POLICY_FLAGS,
  POLICY_MODES,
  PolicyFlag,
  PolicyMode,
  setHomeNode,
  shownMode,
  shownNodes,
} from '../space/memory-policy.js'
import { Vma } from '../space/vma.js'
import { LockRank } from '../state/atomics.js'
import { readNodes, writeNodes } from './node-mask.js'
import type { SyscallArguments } from './syscall-arguments.js'

export const MPOL_MF_STRICT = 1
export const MPOL_MF_MOVE = 2
export const MPOL_MF_MOVE_ALL = 4
const MBIND_FLAGS = MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL

const MPOL_F_NODE = 1
const MPOL_F_ADDR = 2
const MPOL_F_MEMS_ALLOWED = 4
const GET_FLAGS = MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED

/** The one node, and the set of it. */
const NODE = 0
const ALL_NODES = 1

/** sanitize_mpol_flags: whether a mode and its flags make sense together. */
function isMode(mode: number): boolean {
  const flags = mode & POLICY_FLAGS
  const kind = mode & ~POLICY_FLAGS
  const both = PolicyFlag.static | PolicyFlag.relative
  if (kind < 0 || kind >= POLICY_MODES || (flags & both) === both) return false
  const mayBalance = kind === PolicyMode.bind || kind === PolicyMode.preferredMany
  return (flags & PolicyFlag.balancing) === 0 || mayBalance
}

/** What set_mempolicy(mode, nodemask, maxnode) asks for: a policy, or -EINVAL, -EFAULT. */
export function decodePolicy(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  const mode = args.int(0)
  if (!isMode(mode)) return -EINVAL
  const nodes = readNodes(mm, space, args, 1, 2)
  return nodes < 0 ? nodes : makePolicy(mode & ~POLICY_FLAGS, mode & POLICY_FLAGS, nodes)
}

/** A range of whole pages, or -EINVAL: unaligned, or it wraps around. */
function rangeOf(args: SyscallArguments): { start: Vpn; end: Vpn } | number {
  const start = args.page(0)
  const end = start + args.pagesUp(1)
  if (!args.isPageAligned(0) || end >= 2 ** 52) return -EINVAL
  return { start: start as Vpn, end: end as Vpn }
}

/** mbind(addr, len, mode, nodemask, maxnode, flags): 0; -EINVAL, -EFAULT (a hole too), -EPERM, -EIO, -ENOMEM. `isNice`: CAP_SYS_NICE. */
export function sysMbind(mm: FaultEnv, space: AddressSpace, args: SyscallArguments, isNice: boolean): number {
  const mode = args.int(2)
  if (!isMode(mode)) return -EINVAL
  const nodes = readNodes(mm, space, args, 3, 4)
  if (nodes < 0) return nodes
  const flags = args.low(5)
  if ((flags & ~MBIND_FLAGS) !== 0) return -EINVAL
  if ((flags & MPOL_MF_MOVE_ALL) !== 0 && !isNice) return -EPERM
  const range = rangeOf(args)
  if (typeof range === 'number') return range
  if (range.start === range.end) return 0
  const policy = makePolicy(mode & ~POLICY_FLAGS, mode & POLICY_FLAGS, nodes)
  if (policy < 0) return policy
  const isStrict = (flags & MBIND_FLAGS) === MPOL_MF_STRICT && policy !== 0 && (nodes & ALL_NODES) === 0
  mm.atomics.lock(space.lock, LockRank.space)
  const isRefused = isStrict && hasPages(mm, space, range.start, range.end)
  const result = isRefused ? -EIO : bindRange(mm, space, range.start, range.end, policy)
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

/** Whether pages would have to be moved for nodes that node 0 is none of. The zero page and the kernel's own do not count. */
function hasPages(mm: FaultEnv, space: AddressSpace, start: Vpn, end: Vpn): boolean {
  const mapper = new UserMapper(mm, space.root)
  let found = false
  mapper.walkPages(start, Math.min(end, mm.arch.userEnd) as Vpn, (_vpn, _pfn, flags) => {
    found ||= (flags & EntryFlag.special) === 0
  })
  return found
}

/** set_mempolicy_home_node(addr, len, node, flags): 0; -EINVAL, -ENOENT, -EOPNOTSUPP, -ENOMEM. */
export function sysSetMempolicyHomeNode(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  if (!args.isPageAligned(0) || !args.isZero(3) || args.address(2) !== NODE) return -EINVAL
  const range = rangeOf(args)
  if (typeof range === 'number') return range
  if (range.start === range.end) return 0
  mm.atomics.lock(space.lock, LockRank.space)
  const result = setHomeNode(mm, space, range.start, range.end)
  mm.atomics.unlock(space.lock, LockRank.space)
  return result
}

/**
 * get_mempolicy(policy, nodemask, maxnode, addr, flags): 0; -EINVAL, -EFAULT. `own` is the thread's policy.
 */
export function sysGetMempolicy(
  mm: FaultEnv,
  space: AddressSpace,
  args: SyscallArguments,
  own: number,
): number {
  if (!args.isZero(1) && args.address(2) < 1) return -EINVAL
  const flags = args.low(4)
  if (!args.is32Bit(4) || (flags & ~GET_FLAGS) !== 0) return -EINVAL
  const asksAllowed = (flags & MPOL_F_MEMS_ALLOWED) !== 0
  if (asksAllowed && flags !== MPOL_F_MEMS_ALLOWED) return -EINVAL
  const hasAddress = (flags & MPOL_F_ADDR) !== 0
  if (!asksAllowed && !hasAddress && !args.isZero(3)) return -EINVAL
  const policy = asksAllowed ? 0 : hasAddress ? policyAt(mm, space, args) : own
  if (policy < 0) return policy
  const word = asksAllowed
    ? 0
    : (flags & MPOL_F_NODE) !== 0
      ? nodeFor(mm, space, args, policy)
      : shownMode(policy)
  if (word < 0) return word
  if (!args.isZero(0) && storeUser32(mm, space, args.address(0), word) < 0) return -EFAULT
  if (args.isZero(1)) return 0
  return writeNodes(mm, space, args, 1, 2, asksAllowed ? ALL_NODES : shownNodes(policy))
}

function policyAt(mm: FaultEnv, space: AddressSpace, args: SyscallArguments): number {
  const vpn = args.page(3)
  mm.atomics.lock(space.lock, LockRank.space)
  const found = vpn < mm.arch.userEnd ? mm.vmas.findHolding(space, vpn as Vpn) : NULL
  const policy = found === NULL ? -EFAULT : new Vma(mm.memory, found).policy
  mm.atomics.unlock(space.lock, LockRank.space)
  return policy
}

/** MPOL_F_NODE: where the page at the address is, which is made present, or where the next of an interleaved thread would be. */
function nodeFor(mm: FaultEnv, space: AddressSpace, args: SyscallArguments, policy: number): number {
  if ((args.low(4) & MPOL_F_ADDR) !== 0) return touchRemote(mm, space, args.address(3)) < 0 ? -EFAULT : NODE
  const mode = modeOf(policy)
  return mode === PolicyMode.interleave || mode === PolicyMode.weightedInterleave ? NODE : -EINVAL
}
