import type { Process } from './process.js'
import type { Thread } from './thread.js'

/** Gives a thread a name, of which 15 bytes count (set_task_comm); the first thread's name is that of the process. */
export function nameThread(thread: Thread, process: Process, name: Uint8Array): void {
  thread.name = name
  if (thread.id === process.id) process.takeName(thread.ptr)
}

/** A new thread is called as the one that made it. */
export function inheritName(thread: Thread, child: Thread, process: Process): void {
  child.copyName(thread)
  if (child.id === process.id) process.takeName(child.ptr)
}
