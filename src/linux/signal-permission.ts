/** Who may send signals to whom (check_kill_permission of Linux). */
import { EPERM } from '../base/errno.js'
import { Capability } from './fs/capabilities.js'
import { may } from './fs/credentials.js'
import { userOf } from './fs/file-user.js'
import type { Process } from './process.js'
import { Signal } from './signal-numbers.js'

/** si_uid of what a process sends. */
export function realUserOf(process: Process): number {
  return userOf(process).credentials.user.real
}

/** 0 or -EPERM: root to all, others to those of the same user; SIGCONT within the session. */
export function checkSender(sender: Process, target: Process, signal: number): number {
  if (sender === target) return 0
  const who = userOf(sender).credentials
  if (may(who, Capability.kill)) return 0
  const { real, saved } = userOf(target).credentials.user
  const isSameUser = [who.user.effective, who.user.real].some((id) => id === real || id === saved)
  if (isSameUser || (signal === Signal.CONT && sender.sessionId === target.sessionId)) return 0
  return -EPERM
}
