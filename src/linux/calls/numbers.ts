/** Numbers of processes, threads, groups and sessions as the caller's namespace has them, and whom they stand for. */
import type { Process } from '../process.js'
import type { SyscallContext } from '../syscall-context.js'
import type { Thread } from '../thread.js'

/** Whom a number stands for; 0 = nobody. */
export function idOf(c: SyscallContext, number: number): number {
  return c.process.namespace.idOf(number)
}

/** What the caller calls somebody; 0 = it does not see them. */
export function numberOf(c: SyscallContext, id: number): number {
  return c.process.namespace.numberOf(id)
}

export function threadAt(c: SyscallContext, number: number): Thread | undefined {
  return c.linux.threads.byId(idOf(c, number))
}

/** The process that has a number, or one of whose threads has it. */
export function processAt(c: SyscallContext, number: number): Process | undefined {
  const { linux } = c
  const id = idOf(c, number)
  const thread = linux.threads.byId(id)
  return linux.processes.get(id) ?? (thread && linux.processOf(thread))
}

/** As processAt, 0 being the caller's. */
export function processNamed(c: SyscallContext, number: number): Process | undefined {
  return number === 0 ? c.process : processAt(c, number)
}
