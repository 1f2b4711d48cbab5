/**
 * Memory policies (mm/mempolicy.c of Linux 6.12) for a machine with one node. A policy is a number, so that it needs no record of
 * its own and two are the same when they are equal; 0 is the default.
 *
 *     bits 0-2     PolicyMode
 *     bit 3        it has a home node, which is node 0
 *     bits 13-15   PolicyFlag, as the program gave them
 *     bits 16-19   the nodes as the program gave them, if there are flags; what is left of them is node 0
 */
import { EFAULT, EINVAL, ENOENT, EOPNOTSUPP } from '../base/errno.js'
import { NULL, type Vpn } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import { modifyFlags } from './modify-flags.js'
import type { SpaceEnv } from './space-env.js'
import { Vma } from './vma.js'

export const PolicyMode = {
  default: 0,
  preferred: 1,
  bind: 2,
  interleave: 3,
  local: 4,
  preferredMany: 5,
  weightedInterleave: 6,
} as const
const MODE_MASK = 7
export const POLICY_MODES = 7

export const PolicyFlag = { balancing: 0x2000, relative: 0x4000, static: 0x8000 } as const
export const POLICY_FLAGS = 0xe000

const HOME = 8
const NODES_SHIFT = 16
/** Nodes that a kernel of Debian's could have. */
export const NODES_MAX = 4
const NODE_0 = 1

/** sanitize_mpol_flags, mpol_new and mpol_set_nodemask: the policy, or -EINVAL. `nodes` is a set of NODES_MAX bits. */
export function makePolicy(mode: number, flags: number, nodes: number): number {
  const given = (flags & (PolicyFlag.static | PolicyFlag.relative)) !== 0
  if (mode === PolicyMode.default) return nodes === 0 ? 0 : -EINVAL
  const isLocal = mode === PolicyMode.local
  if (isLocal || (mode === PolicyMode.preferred && nodes === 0)) {
    return nodes !== 0 || given ? -EINVAL : PolicyMode.local | flags
  }
  const left = (flags & PolicyFlag.relative) !== 0 ? nodes : nodes & NODE_0
  if (left === 0) return -EINVAL
  return mode | flags | (flags === 0 ? 0 : nodes << NODES_SHIFT)
}

/** Whether a number is a policy. */
export function isPolicy(policy: number): boolean {
  if (policy === 0) return true
  const mode = modeOf(policy)
  const known = MODE_MASK | HOME | POLICY_FLAGS | (((1 << NODES_MAX) - 1) << NODES_SHIFT)
  if ((policy & ~known) !== 0 || mode === PolicyMode.default || mode >= POLICY_MODES) return false
  const hasNodes = policy >>> NODES_SHIFT !== 0
  return hasNodes === (shownMode(policy) !== mode)
}

export function modeOf(policy: number): number {
  return policy & MODE_MASK
}

/** As get_mempolicy(2) tells it: mode and flags. */
export function shownMode(policy: number): number {
  return policy & (MODE_MASK | POLICY_FLAGS)
}

/** The nodes that pages come from: none for the default and local allocation. */
export function nodesOf(policy: number): number {
  const mode = modeOf(policy)
  return mode === PolicyMode.default || mode === PolicyMode.local ? 0 : NODE_0
}

/** As get_mempolicy(2) tells them. */
export function shownNodes(policy: number): number {
  return (policy & POLICY_FLAGS) !== 0 ? policy >>> NODES_SHIFT : nodesOf(policy)
}

const MODE_NAMES = [
  'default',
  'prefer',
  'bind',
  'interleave',
  'local',
  'prefer (many)',
  'weighted interleave',
] as const

/** mpol_to_str(): how numa_maps writes it. */
export function policyText(policy: number): string {
  const kind =
    (policy & PolicyFlag.static) !== 0 ? 'static' : (policy & PolicyFlag.relative) !== 0 ? 'relative' : ''
  const parts = [kind, (policy & PolicyFlag.balancing) !== 0 ? 'balancing' : ''].filter((part) => part !== '')
  const flags = parts.length === 0 ? '' : `=${parts.join('|')}`
  return `${MODE_NAMES[modeOf(policy)]}${flags}${nodesOf(policy) === 0 ? '' : ':0'}`
}

/**
 * mbind(2): gives the mappings of a range a policy. -EFAULT for a hole, and then nothing has changed; the default may be given
 * over holes, but not to nothing at all. -ENOMEM, when what lies before has changed.
 */
export function bindRange(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn, policy: number): number {
  const problem = checkHoles(mm, space, start, end, policy === 0)
  if (problem < 0) return problem
  return changeMappings(mm, space, start, end, () => policy)
}

/** queue_pages_test_walk. */
function checkHoles(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn, mayHave: boolean): number {
  const vma = new Vma(mm.memory, mm.vmas.find(space, start))
  if (vma.ptr === NULL || vma.start >= end) return -EFAULT
  if (mayHave) return 0
  for (let at: number = start; at < end; at = vma.end) {
    if (at !== start) vma.at(mm.vmas.next(vma.ptr))
    if (vma.ptr === NULL || vma.start > at) return -EFAULT
  }
  return 0
}

/**
 * set_mempolicy_home_node(2) with node 0, for those of the range that have a policy. -ENOENT when none has, -EOPNOTSUPP at one
 * that has no home; what lies before has changed.
 */
export function setHomeNode(mm: SpaceEnv, space: AddressSpace, start: Vpn, end: Vpn): number {
  let result = -ENOENT
  const changed = changeMappings(mm, space, start, end, (policy) => {
    if (policy === 0) return policy
    const mode = modeOf(policy)
    if (mode !== PolicyMode.bind && mode !== PolicyMode.preferredMany) return -EOPNOTSUPP
    result = 0
    return policy | HOME
  })
  return changed < 0 ? changed : result
}

/** What `change` makes of the policy of each mapping; its negative errno ends the walk. */
function changeMappings(
  mm: SpaceEnv,
  space: AddressSpace,
  start: Vpn,
  end: Vpn,
  change: (policy: number) => number,
): number {
  const vma = new Vma(mm.memory)
  for (let at = start; at < end; ) {
    const found = mm.vmas.find(space, at)
    if (found === NULL || vma.at(found).start >= end) return 0
    const from = Math.max(at, vma.start) as Vpn
    const to = Math.min(vma.end, end) as Vpn
    const policy = change(vma.policy)
    if (policy < 0) return policy
    if (policy !== vma.policy) {
      const result = modifyFlags(mm, space, vma, from, to, vma.flags, vma.name, policy)
      if (result < 0) return result
    }
    at = to
  }
  return 0
}
