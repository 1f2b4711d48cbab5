/** kcmp(2) (kernel/kcmp.c of Linux): whether two processes have something in common. */
import { EBADF, EFAULT, EINVAL, ENOENT, ESRCH } from '../../../base/errno.js'
import { processAt } from '../../calls/numbers.js'
import { type Process, ProcessFlag } from '../../process.js'
import { mayAccess } from '../../process-access.js'
import { type Syscall, syscall } from '../../syscall.js'
import type { SyscallContext } from '../../syscall-context.js'
import { type FileUser, userOf } from '../file-user.js'
import type { Epoll } from '../ipc/epoll.js'
import type { OpenFile } from '../open-file.js'
import { take } from './support.js'

const Kind = {
  file: 0,
  memory: 1,
  files: 2,
  places: 3,
  handlers: 4,
  input: 5,
  undo: 6,
  epollTarget: 7,
} as const
const SLOT_BYTES = 12

export const compareCalls: readonly Syscall[] = [syscall(272, 'kcmp', 'ddduu', compare)]

function compare(c: SyscallContext): number {
  const [one, other] = [processArgument(c, 0), processArgument(c, 1)]
  if (one === undefined || other === undefined) return -ESRCH
  const refused = mayAccess(c.process, one, 'real') || mayAccess(c.process, other, 'real')
  if (refused < 0) return refused
  switch (c.args.int(2)) {
    case Kind.file:
      return compareFiles(fileOf(one, c.args.low(3)), fileOf(other, c.args.low(4)))
    case Kind.memory:
      return order(one.space.ptr, other.space.ptr)
    case Kind.files:
      return order(
        holderOf(c, one, ({ files }) => files),
        holderOf(c, other, ({ files }) => files),
      )
    case Kind.places:
      return order(
        holderOf(c, one, ({ places }) => places),
        holderOf(c, other, ({ places }) => places),
      )
    case Kind.handlers:
      return order(one.actions, other.actions)
    case Kind.input:
      return 0
    case Kind.undo:
      return order(undoListOf(one), undoListOf(other))
    case Kind.epollTarget:
      return compareTarget(c, one, other)
    default:
      return -EINVAL
  }
}

/** 0 is no process's number here. */
function processArgument(c: SyscallContext, i: number): Process | undefined {
  return processAt(c, c.args.int(i))
}

/** Equal 0, less 1, greater 2: an order that stays the same, so that programs can sort by it. */
function order(one: number, other: number): number {
  return one === other ? 0 : one < other ? 1 : 2
}

/** The number of the first process that has something, which so stands for it; 0 for one that has ended. */
function holderOf(c: SyscallContext, process: Process, what: (user: FileUser) => object): number {
  if (process.isZombie) return 0
  const wanted = what(userOf(process))
  for (const other of c.linux.processes.values()) {
    if (!other.isZombie && what(userOf(other)) === wanted) return other.id
  }
  return 0
}

/** The number of the process whose threads have one, 0 = none. */
function undoListOf(process: Process): number {
  return !process.isZombie && process.hasFlag(ProcessFlag.undoList) ? process.id : 0
}

function fileOf(process: Process, fd: number): OpenFile | undefined {
  return process.isZombie ? undefined : userOf(process).files.get(fd)
}

function compareFiles(one: OpenFile | undefined, other: OpenFile | undefined): number {
  return one === undefined || other === undefined ? -EBADF : order(one.identity, other.identity)
}

/** A file of one process, and what an epoll of the other watches by a number: the `nth` of those. */
function compareTarget(c: SyscallContext, one: Process, other: Process): number {
  const slot = take(c, c.args.address(4), SLOT_BYTES)
  if (slot === undefined) return -EFAULT
  const [epollNumber, number, nth] = [0, 4, 8].map((at) => slot.getUint32(at, true))
  const file = fileOf(one, c.args.low(3))
  const epoll = fileOf(other, epollNumber!)
  if (file === undefined || epoll === undefined) return -EBADF
  if (epoll.kind !== 'epoll') return -EINVAL
  const watchers = [...(epoll.object as Epoll).watched.values()].filter(({ fd }) => fd === number)
  const target = watchers[nth!]
  return target === undefined ? -ENOENT : compareFiles(file, target.file)
}
