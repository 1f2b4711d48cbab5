/** What a process may do beyond its users' rights: the sets of capabilities(7), and how they change with the users. */
import type { Ids } from './credentials.js'

/** Bits of 41 capabilities, in two words. */
export type CapabilitySet = readonly [low: number, high: number]

export interface Capabilities {
  readonly effective: CapabilitySet
  readonly permitted: CapabilitySet
  readonly inheritable: CapabilitySet
  /** What execve may give at most. */
  readonly bounding: CapabilitySet
  /** What execve of an ordinary program keeps: always permitted and inheritable. */
  readonly ambient: CapabilitySet
  /** SecureBit bits: which of root's privileges there are. */
  readonly secureBits: number
}

/** Each has its lock one bit above, which keeps it as it is. */
export const SecureBit = {
  /** User 0 gains nothing by execve. */
  noRoot: 1,
  /** Another user changes no set. */
  noSetUserFixup: 4,
  /** Who is root no more keeps what is permitted, until execve. */
  keepCapabilities: 16,
  noAmbientRaise: 64,
} as const
const SECURE_BITS = 0x55
const SECURE_LOCKS = 0xaa

export const Capability = {
  changeOwner: 0,
  overrideAccess: 1,
  readAndSearch: 2,
  actAsOwner: 3,
  keepSetIds: 4,
  kill: 5,
  setGroup: 6,
  setUser: 7,
  setSets: 8,
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
export const CAPABILITY_COUNT = 41
export const ROOT_CAPABILITIES: Capabilities = {
  effective: ALL,
  permitted: ALL,
  inheritable: NONE,
  bounding: ALL,
  ambient: NONE,
  secureBits: 0,
}

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
  return isIn(effective, capability)
}

export function isIn(set: CapabilitySet, capability: number): boolean {
  return ((set[capability >>> 5]! >>> (capability & 31)) & 1) === 1
}

export function only(capability: number): CapabilitySet {
  const bit = (1 << (capability & 31)) >>> 0
  return capability < 32 ? [bit, 0] : [0, bit]
}

const isSecure = ({ secureBits }: Capabilities, bit: number) => (secureBits & bit) !== 0

/** The real, effective or saved user has changed (cap_emulate_setxuid). */
export function afterUsers(before: Capabilities, old: Ids, now: Ids): Capabilities {
  if (isSecure(before, SecureBit.noSetUserFixup)) return before
  const isRoot = ({ real, effective, saved }: Ids) => real === 0 || effective === 0 || saved === 0
  let { effective, permitted, ambient } = before
  if (isRoot(old) && !isRoot(now)) {
    if (!isSecure(before, SecureBit.keepCapabilities)) effective = permitted = NONE
    ambient = NONE
  }
  if (old.effective === 0 && now.effective !== 0) effective = NONE
  if (old.effective !== 0 && now.effective === 0) effective = permitted
  return { ...before, effective, permitted, ambient }
}

/** The user that counts for files has changed alone: setfsuid. */
export function afterFilesUser(before: Capabilities, old: Ids, now: Ids): Capabilities {
  const { effective, permitted } = before
  if (isSecure(before, SecureBit.noSetUserFixup)) return before
  if (old.files === 0 && now.files !== 0) return { ...before, effective: without(effective, ABOUT_FILES) }
  if (old.files !== 0 && now.files === 0) {
    return { ...before, effective: either(effective, both(permitted, ABOUT_FILES)) }
  }
  return before
}

/** What execve of a file without capabilities of its own permits: root gets all again, as far as the bounding set goes. */
function permittedByExec(before: Capabilities, { real, effective }: Ids): CapabilitySet {
  const isRoot = real === 0 || effective === 0
  return isRoot && !isSecure(before, SecureBit.noRoot) ? either(before.bounding, before.inheritable) : NONE
}

/** How execve goes about it: it gives no more than there was; the users differ. */
export interface ExecLimits {
  readonly isRefused: boolean
  readonly isOfTwoUsers: boolean
}

/** The sets after execve of a file without capabilities of its own; others than root keep the ambient ones. */
export function afterExec(before: Capabilities, user: Ids, limits: ExecLimits): Capabilities {
  const gained = permittedByExec(before, user)
  const ambient = limits.isOfTwoUsers ? NONE : before.ambient
  const permitted = either(limits.isRefused ? both(gained, before.permitted) : gained, ambient)
  const isEffective = user.effective === 0 && !isSecure(before, SecureBit.noRoot)
  const secureBits = before.secureBits & ~SecureBit.keepCapabilities
  return { ...before, effective: isEffective ? permitted : ambient, permitted, ambient, secureBits }
}

/** Whether execve permits what is not permitted now. */
export function gainsByExec(before: Capabilities, user: Ids): boolean {
  return !isSubset(permittedByExec(before, user), before.permitted)
}

/** access(2) asks with the real user's. */
export function ofRealUser(capabilities: Capabilities, { real }: Ids): Capabilities {
  if (isSecure(capabilities, SecureBit.noSetUserFixup)) return capabilities
  return { ...capabilities, effective: real === 0 ? capabilities.permitted : NONE }
}

/** The sets that capset(2) takes. */
export type SettableSets = Pick<Capabilities, 'effective' | 'permitted' | 'inheritable'>

/** What capset makes of the sets; undefined: it may not (cap_capset). */
export function replaced(old: Capabilities, wanted: SettableSets): Capabilities | undefined {
  const { effective, permitted, inheritable } = wanted
  const isFree = hasCapability(old, Capability.setSets)
  if (!isFree && !isSubset(inheritable, either(old.inheritable, old.permitted))) return undefined
  if (!isSubset(inheritable, either(old.inheritable, old.bounding))) return undefined
  if (!isSubset(permitted, old.permitted) || !isSubset(effective, permitted)) return undefined
  return { ...old, ...wanted, ambient: both(old.ambient, both(permitted, inheritable)) }
}

/** PR_CAPBSET_DROP. */
export function withoutBound(old: Capabilities, capability: number): Capabilities {
  return { ...old, bounding: without(old.bounding, only(capability)) }
}

/** PR_CAP_AMBIENT_RAISE; undefined: it may not be. */
export function raisedAmbient(old: Capabilities, capability: number): Capabilities | undefined {
  const mayBe = isIn(both(old.permitted, old.inheritable), capability)
  if (!mayBe || isSecure(old, SecureBit.noAmbientRaise)) return undefined
  return { ...old, ambient: either(old.ambient, only(capability)) }
}

/** PR_CAP_AMBIENT_LOWER. */
export function loweredAmbient(old: Capabilities, capability: number): Capabilities {
  return { ...old, ambient: without(old.ambient, only(capability)) }
}

/** Whether PR_SET_SECUREBITS may make `wanted` of the bits: what is locked stays so, and as it is. */
export function maySecure(old: Capabilities, wanted: number): boolean {
  const locks = old.secureBits & SECURE_LOCKS
  if (((locks >> 1) & (old.secureBits ^ wanted)) !== 0 || (locks & ~wanted) !== 0) return false
  return (wanted & ~(SECURE_BITS | SECURE_LOCKS)) === 0 && hasCapability(old, Capability.setSets)
}

/** PR_SET_KEEPCAPS; undefined: it is locked. */
export function withKept(old: Capabilities, isKept: boolean): Capabilities | undefined {
  const bit = SecureBit.keepCapabilities
  if (isSecure(old, bit << 1)) return undefined
  return { ...old, secureBits: isKept ? old.secureBits | bit : old.secureBits & ~bit }
}
