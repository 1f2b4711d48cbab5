/** What a process may do beyond its users' rights: the sets of capabilities(7), and how they change with the users. */
import type { Ids } from './credentials.js'

/** Bits of 41 capabilities, in two words. */
export type CapabilitySet = readonly [low: number, high: number]

export interface Capabilities {
  readonly effective: CapabilitySet
  readonly permitted: CapabilitySet
  readonly inheritable: CapabilitySet
}

export const Capability = {
  changeOwner: 0,
  overrideAccess: 1,
  readAndSearch: 2,
  actAsOwner: 3,
  keepSetIds: 4,
  kill: 5,
  setGroup: 6,
  setUser: 7,
  setInheritable: 8,
  lockMemory: 14,
  ownIpc: 15,
  rawAccess: 17,
  changeRoot: 18,
  trace: 19,
  administrate: 21,
  nice: 23,
  resource: 24,
  setTime: 25,
  makeDevice: 27,
  restore: 40,
} as const

export const ALL: CapabilitySet = [0xffff_ffff, 0x1ff]
export const NONE: CapabilitySet = [0, 0]
export const ROOT_CAPABILITIES: Capabilities = { effective: ALL, permitted: ALL, inheritable: NONE }

/** Those about files, which setfsuid takes and gives: chown, access, ownership, set-id bits, immutable, mknod, MAC. */
const ABOUT_FILES: CapabilitySet = [0x0800_021f, 0x1]

export function both(a: CapabilitySet, b: CapabilitySet): CapabilitySet {
  return [(a[0] & b[0]) >>> 0, (a[1] & b[1]) >>> 0]
}

function either(a: CapabilitySet, b: CapabilitySet): CapabilitySet {
  return [(a[0] | b[0]) >>> 0, (a[1] | b[1]) >>> 0]
}

function without(a: CapabilitySet, b: CapabilitySet): CapabilitySet {
  return [(a[0] & ~b[0]) >>> 0, (a[1] & ~b[1]) >>> 0]
}

export function isSubset(a: CapabilitySet, b: CapabilitySet): boolean {
  return ((a[0] & ~b[0]) | (a[1] & ~b[1])) === 0
}

export function hasCapability({ effective }: Capabilities, capability: number): boolean {
  return ((effective[capability >>> 5]! >>> (capability & 31)) & 1) === 1
}

/** The real, effective or saved user has changed (cap_emulate_setxuid). */
export function afterUsers(before: Capabilities, old: Ids, now: Ids): Capabilities {
  const isRoot = ({ real, effective, saved }: Ids) => real === 0 || effective === 0 || saved === 0
  let { effective, permitted } = before
  if (isRoot(old) && !isRoot(now)) effective = permitted = NONE
  if (old.effective === 0 && now.effective !== 0) effective = NONE
  if (old.effective !== 0 && now.effective === 0) effective = permitted
  return { ...before, effective, permitted }
}

/** The user that counts for files has changed alone: setfsuid. */
export function afterFilesUser(before: Capabilities, old: Ids, now: Ids): Capabilities {
  const { effective, permitted } = before
  if (old.files === 0 && now.files !== 0) return { ...before, effective: without(effective, ABOUT_FILES) }
  if (old.files !== 0 && now.files === 0) {
    return { ...before, effective: either(effective, both(permitted, ABOUT_FILES)) }
  }
  return before
}

/** execve of a file without capabilities of its own: root gets all again, others lose theirs. */
export function afterExec({ inheritable }: Capabilities, { real, effective }: Ids): Capabilities {
  const permitted = real === 0 || effective === 0 ? ALL : NONE
  return { effective: effective === 0 ? permitted : NONE, permitted, inheritable }
}

/** Whether execve permits what is not permitted now. */
export function gainsByExec(before: Capabilities, user: Ids): boolean {
  return !isSubset(afterExec(before, user).permitted, before.permitted)
}

/** access(2) asks with the real user's. */
export function ofRealUser(capabilities: Capabilities, { real }: Ids): Capabilities {
  return { ...capabilities, effective: real === 0 ? capabilities.permitted : NONE }
}

/** Whether capset may replace one by the other (cap_capset); the bounding set is full. */
export function mayReplace(old: Capabilities, wanted: Capabilities): boolean {
  const isFree = hasCapability(old, Capability.setInheritable)
  if (!isFree && !isSubset(wanted.inheritable, either(old.inheritable, old.permitted))) return false
  return isSubset(wanted.permitted, old.permitted) && isSubset(wanted.effective, wanted.permitted)
}
