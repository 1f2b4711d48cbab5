/** The ends of pipes and FIFOs as open files. */
import { EAGAIN, ENXIO } from '../../../base/errno.js'
import { FileType, Open } from '../flags.js'
import { type Inode, makeDentry, makeInode } from '../nodes.js'
import { isReadable, isWritable, type OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { channel } from './channel.js'
import { objectOf } from './file-object.js'
import { type Pipe, pipeBytes } from './pipe.js'

const NO_WRITERS_SEEN = -1

export interface PipeEnd {
  readonly pipe: Pipe
  /** `writersEver` when a reader opened a FIFO without waiting for one: no hang-up until that has changed. */
  writersSeen: number
}

const end = (file: OpenFile) => objectOf<PipeEnd>(file)

export const pipeFile = channel({
  receive: (vfs, file, sink) => vfs.pipes.read(end(file).pipe, sink),
  send: (vfs, file, source, goesOn) =>
    vfs.pipes.write(end(file).pipe, source, (file.flags & Open.direct) !== 0, !goesOn),
  poll(vfs, file) {
    const { pipe, writersSeen } = end(file)
    return vfs.pipes.poll(pipe, isReadable(file), isWritable(file), writersSeen !== pipe.writersEver)
  },
  events: (file) => end(file).pipe.events,
  bytesReadable: (_vfs, file) => pipeBytes(end(file).pipe),
  close(vfs, file) {
    const { pipe } = end(file)
    vfs.pipes.close(pipe, isReadable(file), isWritable(file))
    if (pipe.readers + pipe.writers === 0) file.dentry.inode.pipe = null
  },
})

/** pipe2(2): the end that is read and the one that is written; `flags`: O_NONBLOCK, O_DIRECT. */
export function makePipe(vfs: Vfs, flags: number): [reader: OpenFile, writer: OpenFile] {
  const { hidden } = vfs.state
  const inode = makeInode(hidden.inode.filesystem, FileType.fifo | 0o600, vfs.now())
  const dentry = makeDentry(`pipe:[${inode.number}]`, hidden, inode)
  const reader = vfs.openFile('pipe', dentry, flags | Open.readOnly)
  const writer = vfs.openFile('pipe', dentry, flags | Open.writeOnly)
  attachPipe(vfs, reader)
  attachPipe(vfs, writer)
  return [reader, writer]
}

/** Makes an open file an end of its inode's pipe. */
export function attachPipe(vfs: Vfs, file: OpenFile): void {
  const pipe = pipeOf(vfs, file.dentry.inode)
  file.object = { pipe, writersSeen: NO_WRITERS_SEEN }
  vfs.pipes.open(pipe, isReadable(file), isWritable(file))
}

function pipeOf(vfs: Vfs, inode: Inode): Pipe {
  inode.pipe ??= vfs.pipes.create()
  return inode.pipe
}

/** Whether a FIFO can be opened so: 0, or -ENXIO for a writer that would not wait and has no reader. */
export function mayOpenFifo({ pipe }: Inode, flags: number): number {
  const writesOnly = (flags & Open.accessMode) === Open.writeOnly
  const hasReader = pipe !== null && pipe.readers > 0
  return writesOnly && (flags & Open.nonBlock) !== 0 && !hasReader ? -ENXIO : 0
}

/** After the open of a FIFO: 0 when it has a partner or needs none, -EAGAIN when the opener waits for one. */
export function partnerOf(file: OpenFile): number {
  const object = end(file)
  const { pipe } = object
  const [reads, writes] = [isReadable(file), isWritable(file)]
  if (reads && writes) return 0
  if ((reads ? pipe.writers : pipe.readers) > 0) return 0
  if ((file.flags & Open.nonBlock) === 0) return -EAGAIN
  object.writersSeen = pipe.writersEver
  return 0
}

/** How many partners there have been for this end. */
export function partnersEver(file: OpenFile): number {
  const { pipe } = end(file)
  return isReadable(file) ? pipe.writersEver : pipe.readersEver
}
