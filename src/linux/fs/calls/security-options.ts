/** What prctl(2) does to capabilities: the bounding and the ambient set, securebits (cap_task_prctl of security/commoncap.c). */
import { EINVAL, EPERM } from '../../../base/errno.js'
import {
  PR_CAP_AMBIENT,
  PR_CAPBSET_DROP,
  PR_CAPBSET_READ,
  PR_GET_KEEPCAPS,
  PR_GET_SECUREBITS,
  PR_SET_KEEPCAPS,
  PR_SET_SECUREBITS,
} from '../../prctl.js'
import type { SyscallContext } from '../../syscall-context.js'
import {
  CAPABILITY_COUNT,
  type Capabilities,
  Capability,
  hasCapability,
  isIn,
  loweredAmbient,
  maySecure,
  NONE,
  raisedAmbient,
  SecureBit,
  withKept,
  withoutBound,
} from '../capabilities.js'
import { userOfCall } from './support.js'

const AmbientWish = { isSet: 1, raise: 2, lower: 3, clearAll: 4 } as const

const setsOf = (c: SyscallContext) => userOfCall(c).credentials.capabilities

/** Undefined: it is not allowed. */
function become(c: SyscallContext, capabilities: Capabilities | undefined): number {
  if (capabilities === undefined) return -EPERM
  const user = userOfCall(c)
  user.credentials = { ...user.credentials, capabilities }
  return 0
}

/** The capability that an argument names, if there is one. */
function capabilityArgument(c: SyscallContext, i: number): number | undefined {
  const capability = c.args.address(i)
  return capability < CAPABILITY_COUNT ? capability : undefined
}

function readBound(c: SyscallContext): number {
  const capability = capabilityArgument(c, 1)
  return capability === undefined ? -EINVAL : Number(isIn(setsOf(c).bounding, capability))
}

function dropBound(c: SyscallContext): number {
  if (!hasCapability(setsOf(c), Capability.setSets)) return -EPERM
  const capability = capabilityArgument(c, 1)
  return capability === undefined ? -EINVAL : become(c, withoutBound(setsOf(c), capability))
}

function setSecureBits(c: SyscallContext): number {
  const bits = c.args.address(1)
  if (!c.args.is32Bit(1) || !maySecure(setsOf(c), bits)) return -EPERM
  return become(c, { ...setsOf(c), secureBits: bits })
}

function setKeepCapabilities(c: SyscallContext): number {
  const value = c.args.address(1)
  return value > 1 ? -EINVAL : become(c, withKept(setsOf(c), value === 1))
}

function changeAmbient(c: SyscallContext): number {
  const { args } = c
  const wish = args.address(1)
  if (!args.isZero(3) || !args.isZero(4)) return -EINVAL
  if (wish === AmbientWish.clearAll)
    return args.isZero(2) ? become(c, { ...setsOf(c), ambient: NONE }) : -EINVAL
  const capability = capabilityArgument(c, 2)
  if (capability === undefined) return -EINVAL
  if (wish === AmbientWish.isSet) return Number(isIn(setsOf(c).ambient, capability))
  if (wish === AmbientWish.raise) return become(c, raisedAmbient(setsOf(c), capability))
  return wish === AmbientWish.lower ? become(c, loweredAmbient(setsOf(c), capability)) : -EINVAL
}

/** By option. */
export const securityOptions: readonly (readonly [number, (c: SyscallContext) => number])[] = [
  [PR_GET_KEEPCAPS, (c) => Number((setsOf(c).secureBits & SecureBit.keepCapabilities) !== 0)],
  [PR_SET_KEEPCAPS, setKeepCapabilities],
  [PR_CAPBSET_READ, readBound],
  [PR_CAPBSET_DROP, dropBound],
  [PR_GET_SECUREBITS, (c) => setsOf(c).secureBits],
  [PR_SET_SECUREBITS, setSecureBits],
  [PR_CAP_AMBIENT, changeAmbient],
]
