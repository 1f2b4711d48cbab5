/** /proc/PID/syscall, timers, and children of each thread: what a thread is at, and what it has made. */
import { EPERM } from '../../../base/errno.js'
import type { Ptr } from '../../../base/numbers.js'
import { HartField } from '../../../hart/hart-state.js'
import type { Process } from '../../process.js'
import { mayAccess } from '../../process-access.js'
import { type Thread, ThreadState } from '../../thread.js'
import { Notify, type Timer } from '../../timer-record.js'
import { WaitKind } from '../../wait.js'
import type { FileEnvironment } from '../environment.js'

const ARGUMENT_COUNT = 6
const FIRST_ARGUMENT = 10
const STACK_POINTER = 2
const CALL_NUMBER = 17
const ECALL_BYTES = 4n

/** Number and arguments of the call that a thread waits in, its stack pointer and pc; `running` of one that does not wait. */
export function callText(
  process: Process,
  thread: Thread | undefined,
  env: FileEnvironment,
): string | number {
  const caller = env.currentProcess()
  if (caller !== undefined && mayAccess(caller, process, 'files') !== 0) return -EPERM
  if (thread === undefined || thread.state === ThreadState.exited) return '-1 0x0 0x0\n'
  const context = env.scheduler.contextOf(thread)
  const isCaller = context !== thread.ptr
  if (!isCaller && thread.state === ThreadState.ready) return 'running\n'
  const x = (register: number) => word(env, (context + HartField.x + register * 8) as Ptr)
  const hexadecimal = (value: bigint) => `0x${value.toString(16)}`
  const pc = word(env, (context + HartField.pc) as Ptr)
  if (!isCaller && !isInCall(thread)) return `-1 ${hexadecimal(x(STACK_POINTER))} ${hexadecimal(pc)}\n`
  const args = Array.from({ length: ARGUMENT_COUNT }, (_, i) => x(FIRST_ARGUMENT + i))
  // Linux moves pc behind the ecall first, and back for a call that is to be made again.
  const shown = isCaller || thread.state === ThreadState.parked ? pc + ECALL_BYTES : pc
  return `${BigInt.asIntN(32, x(CALL_NUMBER))} ${[...args, x(STACK_POINTER), shown].map(hexadecimal).join(' ')}\n`
}

/** A load or store waits for its page in no call. */
function isInCall(thread: Thread): boolean {
  if (thread.state === ThreadState.parked) return thread.waitKind !== WaitKind.userfault || thread.isResumed
  return thread.restart !== 0 || thread.waitKind !== WaitKind.none
}

function word({ mm }: FileEnvironment, at: Ptr): bigint {
  const { u32 } = mm.memory
  return (BigInt(u32[(at >>> 2) + 1]!) << 32n) | BigInt(u32[at >>> 2]!)
}

/** The children that a thread has made; those of threads that have ended are the oldest thread's. */
export function childrenText(process: Process, thread: Thread | undefined, env: FileEnvironment): string {
  const threads = [...env.threads.ofProcess(process.ptr)]
  const isAlive = (id: number) => threads.some((it) => it.id === id && it.state !== ThreadState.exited)
  const heir = threads.find(({ state }) => state !== ThreadState.exited)
  const isOwn = ({ maker }: Process) => (isAlive(maker) ? maker : heir?.id) === thread?.id
  const children = [...env.processTable.childrenOf(process)].filter(isOwn)
  return children.map(({ id }) => `${id} `).join('')
}

const NOTIFICATIONS = new Map<number, string>([
  [Notify.signal, 'signal'],
  [Notify.none, 'none'],
  [Notify.thread, 'thread'],
  [Notify.threadId, 'signal'],
])

/** The timers of timer_create(2), the youngest first. */
export function timersText(process: Process, env: FileEnvironment): string {
  if (process.isZombie) return ''
  const timers = [...env.time.timers.queue.ofProcess(process.ptr)].reverse()
  return timers.map((timer) => timerText(process, timer)).join('')
}

function timerText({ id }: Process, timer: Timer): string {
  const value = (BigInt(timer.valueHigh) << 32n) | BigInt(timer.valueLow)
  const whom = timer.notify === Notify.threadId ? `tid.${timer.thread}` : `pid.${id}`
  return (
    `ID: ${timer.id}\nsignal: ${timer.signal}/${value.toString(16).padStart(16, '0')}\n` +
    `notify: ${NOTIFICATIONS.get(timer.notify)}/${whom}\nClockID: ${timer.clock}\n`
  )
}
