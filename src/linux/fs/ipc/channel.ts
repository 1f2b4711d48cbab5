/** Files that hand bytes on and have no position: pipes, sockets, eventfd and their like. */
import type { Process } from '../../process.js'
import type { FileOperations } from '../file-operations.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { BufferFlow, type ByteSink, type ByteSource } from './byte-flow.js'
import type { EventSource } from './event-source.js'

/** How one kind of them works. -EAGAIN: not now; `events` tells when to try again. */
export interface ChannelOperations {
  /** Hands out what is there, as far as the sink takes it: bytes, 0 at the end. */
  receive(vfs: Vfs, file: OpenFile, sink: ByteSink): number
  /** Takes what there is room for. `goesOn`: the rest of a write that had to wait; `sender`: whose write it is. */
  send(vfs: Vfs, file: OpenFile, source: ByteSource, goesOn: boolean, sender?: Process): number
  /** Whether -EPIPE comes without SIGPIPE. */
  isQuiet?(file: OpenFile): boolean
  /** Poll bits that hold now. */
  poll(vfs: Vfs, file: OpenFile): number
  /** Where its changes are told. */
  events(file: OpenFile): EventSource
  /** Bits of further sources that a thread that waits for it waits for. */
  alsoWaitsFor?(vfs: Vfs, file: OpenFile): number
  /** FIONREAD; absent: -ENOTTY. */
  bytesReadable?(vfs: Vfs, file: OpenFile): number
  /** pread(2) and pwrite(2) are refused with -EINVAL, not -ESPIPE. */
  readonly refusesPositions?: true
  /** ftruncate(2); absent: -EINVAL. */
  truncate?(): number
  /** What /proc/PID/fdinfo says besides, a line each. */
  information?(file: OpenFile, vfs: Vfs): string
  /** The last file number is gone. */
  close(vfs: Vfs, file: OpenFile): void
}

export function channel(operations: ChannelOperations): FileOperations {
  return {
    read: (vfs, file, _position, target) => operations.receive(vfs, file, new BufferFlow(target)),
    write: (vfs, file, _position, source) => operations.send(vfs, file, new BufferFlow(source), false),
    poll: operations.poll,
    waitsFor: (vfs, file) => operations.events(file).mask | (operations.alsoWaitsFor?.(vfs, file) ?? 0),
    channel: operations,
  }
}
