/** /proc/PID/timerslack_ns: how much later than asked the first thread's sleeps may end. For CAP_SYS_NICE, unless it asks itself. */
import { EINVAL, EPERM, ERANGE, ESRCH } from '../../../base/errno.js'
import { Word, wordIndex } from '../../../state/layout.js'
import type { Thread } from '../../thread.js'
import { setSlack } from '../../timer-slack.js'
import { Capability } from '../capabilities.js'
import { may } from '../credentials.js'
import type { FileEnvironment } from '../environment.js'
import { userOf } from '../file-user.js'
import { byteString } from '../text.js'
import { type ProcFile, processFile } from './proc-node.js'
import { firstThread } from './process-status.js'

const ULONG_MAX = 2n ** 64n - 1n

export const timerSlack: ProcFile = {
  ...processFile((process, _vfs, env) => {
    const thread = firstThread(process, env)
    if (thread === undefined) return ''
    if (!mayTouch(thread, env)) return -EPERM
    return `${thread.slack}\n`
  }, 0o666),
  write(source, process, env) {
    const value = parse(byteString(source))
    if (typeof value === 'number') return value
    const thread = process && firstThread(process, env)
    if (thread === undefined) return -ESRCH
    if (!mayTouch(thread, env)) return -EPERM
    setSlack(thread, value)
    return source.length
  },
}

function mayTouch(thread: Thread, env: FileEnvironment): boolean {
  const caller = env.currentProcess()
  const isOwn = env.mm.memory.u32[wordIndex(Word.currentThread)] === thread.ptr
  return caller === undefined || isOwn || may(userOf(caller).credentials, Capability.nice)
}

/** As kstrtoull: decimal, a line feed at most behind it. */
function parse(text: string): bigint | number {
  if (!/^\+?[0-9]+\n?$/.test(text)) return -EINVAL
  const value = BigInt(text.replace(/^\+/, ''))
  return value > ULONG_MAX ? -ERANGE : value
}
