/** Who a process is to its memory after execve: what it may, and how its addresses are laid out. */
import { gainsByExec } from './fs/capabilities.js'
import { type Credentials, credentialsAfterExec, isAnother, isOfTwoUsers } from './fs/credentials.js'
import { userOf } from './fs/file-user.js'
import { personalityAfterExec } from './personality.js'
import { type Process, ProcessFlag } from './process.js'

export interface Identity {
  readonly credentials: Credentials
  readonly personality: number
  /** AT_SECURE: its program should trust nothing that its caller has given it. */
  readonly isSecure: boolean
  /** It is another than it was, or two users at once: its memory is not for others to see, nor is the signal of its parent's end for it. */
  readonly isPrivate: boolean
}

/** Who gains capabilities loses flags of the personality, also when the gain is refused afterwards, as in Linux. */
export function identityAfterExec(process: Process): Identity {
  const { credentials, sharesSurroundings: isShared } = userOf(process)
  const noNewPrivileges = (process.flags & ProcessFlag.noNewPrivileges) !== 0
  const gains = gainsByExec(credentials.capabilities, credentials.user)
  const isSecure = isOfTwoUsers(credentials)
  const after = credentialsAfterExec(credentials, { isShared, noNewPrivileges })
  return {
    credentials: after,
    personality: personalityAfterExec(process.personality, gains),
    isSecure,
    isPrivate: isSecure || isAnother(credentials, after),
  }
}
