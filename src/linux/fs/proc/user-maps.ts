/** /proc/PID/uid_map and its kin: whom users stand for. There is one namespace of users, the first, where everybody is who they are and nothing is to be set. */
import { EACCES, EINVAL, EPERM } from '../../../base/errno.js'
import { Capability } from '../capabilities.js'
import { may } from '../credentials.js'
import { byteString } from '../text.js'
import { type ProcEntries, type ProcFile, processFile } from './proc-node.js'

const column = (value: number) => String(value).padStart(10)
const EVERYBODY = `${column(0)} ${column(0)} ${column(2 ** 32 - 1)}\n`
/** Bytes that a word for setgroups may have. */
const WORD_BYTES = 8

const identityMap = (): ProcFile => ({ ...processFile(() => EVERYBODY, 0o644), write: () => -EPERM })

const groupsAllowed = (): ProcFile => ({
  ...processFile(() => 'allow\n', 0o644),
  writeMoves: true,
  refuses: (who) => (may(who, Capability.administrate) ? 0 : -EACCES),
  write: (source, _process, _env, position) => {
    const word = /^(allow|deny)[ \t-\r\xa0]*(\0|$)/.exec(byteString(source))?.[1]
    if (position !== 0 || source.length >= WORD_BYTES || word === undefined) return -EINVAL
    return word === 'allow' ? source.length : -EPERM
  },
})

export const userMaps = (): ProcEntries => ({
  uid_map: identityMap(),
  gid_map: identityMap(),
  projid_map: identityMap(),
  setgroups: groupsAllowed(),
})
