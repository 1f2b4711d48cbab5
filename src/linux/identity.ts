/** Who a process is to its memory after execve: what it may, and how its addresses are laid out. */
import { gainsByExec } from './fs/capabilities.js'
import { type Credentials, credentialsAfterExec, isOfTwoUsers } from './fs/credentials.js'
import { userOf } from './fs/file-user.js'
import { personalityAfterExec } from './personality.js'
import { type Process, ProcessFlag } from './process.js'

export interface Identity {
  readonly credentials: Credentials
  readonly personality: number
  /** AT_SECURE: its program should trust nothing that its caller has given it. */
  readonly isSecure: boolean
}

/** Who gains capabilities loses flags of the personality, also when the gain is refused afterwards, as in Linux. */
export function identityAfterExec(process: Process): Identity {
  const { credentials, sharesSurroundings: isShared } = userOf(process)
  const noNewPrivileges = (process.flags & ProcessFlag.noNewPrivileges) !== 0
  const gains = gainsByExec(credentials.capabilities, credentials.user)
  return {
    credentials: credentialsAfterExec(credentials, { isShared, noNewPrivileges }),
    personality: personalityAfterExec(process.personality, gains),
    isSecure: isOfTwoUsers(credentials),
  }
}
