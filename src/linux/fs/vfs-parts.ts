/** What of a name space is made when somebody first asks for it: most programs need little of it. */
import type { FileContents } from './contents.js'
import type { FileEnvironment } from './environment.js'
import type { FilesystemOperations } from './filesystem.js'
import { HostFilesystem } from './host-filesystem.js'
import { HugeTlbFilesystem } from './hugetlbfs.js'
import type { InternalMounts } from './internal-mounts.js'
import type { Events } from './ipc/event-source.js'
import { Pipes } from './ipc/pipe.js'
import { Sockets } from './ipc/sockets.js'
import { MessageQueues } from './mqueue/message-queues.js'
import { QueueFilesystem } from './mqueue/mqueue-filesystem.js'
import type { FilesystemKind } from './nodes.js'
import { NamespaceFilesystem } from './nsfs.js'
import type { OpenFile } from './open-file.js'
import { SecretFilesystem } from './secretmem.js'
import { ShmSegments } from './sysv/shm-segments.js'
import type { VfsState } from './vfs-state.js'

type Operations = Partial<Record<FilesystemKind, FilesystemOperations>>

export abstract class VfsParts {
  abstract readonly env: FileEnvironment
  abstract readonly contents: FileContents
  abstract readonly events: Events
  abstract readonly state: VfsState
  abstract readonly internal: InternalMounts
  /** Of file systems, as far as somebody asked for them. */
  #operations: Operations = {}
  protected madeHosts: HostFilesystem | undefined
  #pipes: Pipes | undefined
  protected madeSockets: Sockets | undefined
  protected madeSegments: ShmSegments | undefined
  #secrets: SecretFilesystem | undefined
  protected madeQueues: MessageQueues | undefined
  #queueFiles: QueueFilesystem | undefined
  #namespaceFiles: NamespaceFilesystem | undefined
  #hugeFiles: HugeTlbFilesystem | undefined

  /** One file number, or message on its way, fewer stands for an open file. */
  abstract drop(file: OpenFile): void

  /** File systems that are there from the start. */
  protected have(operations: Operations): void {
    this.#operations = operations
  }

  get hosts(): HostFilesystem {
    this.madeHosts ??= new HostFilesystem(this.contents)
    return this.madeHosts
  }

  get pipes(): Pipes {
    this.#pipes ??= new Pipes(this.env.mm, this.events)
    return this.#pipes
  }

  get sockets(): Sockets {
    this.madeSockets ??= new Sockets(this.env.mm, this.events, this.state.sockets, (file) => this.drop(file))
    return this.madeSockets
  }

  get segments(): ShmSegments {
    this.madeSegments ??= new ShmSegments(this.env, (segment) => this.internal.nameSegment(segment))
    return this.madeSegments
  }

  get secrets(): SecretFilesystem {
    this.#secrets ??= new SecretFilesystem(this.contents, this.state.secretQuotas)
    return this.#secrets
  }

  get queues(): MessageQueues {
    this.madeQueues ??= new MessageQueues(this.env)
    return this.madeQueues
  }

  get queueFiles(): QueueFilesystem {
    this.#queueFiles ??= new QueueFilesystem(this.contents, this.queues)
    return this.#queueFiles
  }

  get namespaceFiles(): NamespaceFilesystem {
    this.#namespaceFiles ??= new NamespaceFilesystem(this.contents)
    return this.#namespaceFiles
  }

  get hugeFiles(): HugeTlbFilesystem {
    this.#hugeFiles ??= new HugeTlbFilesystem(this.contents)
    return this.#hugeFiles
  }

  operationsOf(kind: FilesystemKind): FilesystemOperations {
    return this.#operations[kind] ?? this.#makeOperations(kind)
  }

  #makeOperations(kind: FilesystemKind): FilesystemOperations {
    const made = this.#newOperations(kind)
    this.#operations[kind] = made
    return made
  }

  #newOperations(kind: FilesystemKind): FilesystemOperations {
    switch (kind) {
      case 'host':
        return this.hosts
      case 'secretmem':
        return this.secrets
      case 'mqueue':
        return this.queueFiles
      case 'nsfs':
        return this.namespaceFiles
      default:
        return this.hugeFiles
    }
  }
}
