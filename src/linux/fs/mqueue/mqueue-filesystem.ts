/** The file system of message queues: one folder, which is mounted nowhere, of files that are queues. */
import { NULL, type Ptr } from '../../../base/numbers.js'
import type { FileContents } from '../contents.js'
import type { Credentials } from '../credentials.js'
import type { FilesystemStatistics } from '../filesystem.js'
import { FilesystemMagic, FileType } from '../flags.js'
import type { EventSource } from '../ipc/event-source.js'
import { type Dentry, type Inode, makeInode, type Time } from '../nodes.js'
import { directoryBytes, Tmpfs } from '../tmpfs.js'
import { attach, touchDirectory } from '../tree.js'
import type { MessageQueues } from './message-queues.js'

/** What a queue seems to be long (FILENT_SIZE). */
const FILE_BYTES = 80

/** What an inode is that is a message queue. */
export interface QueueNode {
  readonly ptr: Ptr
  readonly events: EventSource
}

export class QueueFilesystem extends Tmpfs {
  readonly #queues: MessageQueues

  constructor(contents: FileContents, queues: MessageQueues) {
    super(contents)
    this.#queues = queues
  }

  /** Gives a queue a name that is free. */
  add(directory: Dentry, name: string, queue: QueueNode, mode: number, who: Credentials, now: Time): Dentry {
    const inode = makeInode(directory.inode.filesystem, FileType.regular | mode, now)
    inode.uid = who.user.files
    inode.gid = who.group.files
    inode.size = FILE_BYTES
    inode.queue = queue
    const dentry = attach(directory, name, inode)
    directory.inode.size = directoryBytes(directory.children.size)
    touchDirectory(directory.inode, now)
    return dentry
  }

  /** What a queue seems to be long is only a number. */
  override resize({ inode }: Dentry, bytes: number): number {
    inode.size = bytes
    return 0
  }

  override forget(inode: Inode): void {
    this.#queues.destroy(inode.queue?.ptr ?? NULL)
    inode.queue = null
  }

  override statistics(): FilesystemStatistics {
    return { magic: FilesystemMagic.mqueue, blocks: 0, blocksFree: 0, files: 0, filesFree: 0 }
  }
}
