/**
 * For tests: a host directory in JavaScript objects. It is strict: a path that the contract of HostDirectory does not allow, or
 * that leads through a symbolic link, is a thrown error, so that a test of escapes fails loudly.
 */
import { EBADF, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY } from '../../../base/errno.js'
import { FileType } from '../flags.js'
import type { HostDirectory, HostListed, HostStat } from '../host-directory.js'
import type { Time } from '../nodes.js'

export interface HostNode {
  type: number
  permissions: number
  id: number
  links: number
  bytes: Uint8Array
  target: string
  children: Map<string, HostNode>
  modified: number
}

interface Handle {
  readonly node: HostNode
  readonly writable: boolean
}

export class MemoryHost implements HostDirectory {
  readonly root: HostNode
  /** Handles that are open now. */
  readonly handles = new Map<number, Handle>()
  /** What the next calls of each name answer. */
  readonly failures = new Map<string, number>()
  #nextId = 1
  #nextHandle = 1
  #time = 1

  constructor() {
    this.root = this.#node(FileType.directory, 0o755)
  }

  /** Makes a file behind the guest's back. */
  put(path: string, text: string): HostNode {
    const names = path.split('/')
    let at = this.root
    for (const name of names.slice(0, -1)) {
      if (!at.children.has(name)) at.children.set(name, this.#node(FileType.directory, 0o755))
      at = at.children.get(name)!
    }
    const node = at.children.get(names.at(-1)!) ?? this.#node(FileType.regular, 0o644)
    node.bytes = new TextEncoder().encode(text)
    node.modified = this.#time++
    at.children.set(names.at(-1)!, node)
    return node
  }

  text(path: string): string {
    const node = this.#find(path)
    return typeof node === 'number' ? `errno ${node}` : new TextDecoder().decode(node.bytes)
  }

  #node(type: number, permissions: number): HostNode {
    return {
      type,
      permissions,
      id: this.#nextId++,
      links: 1,
      bytes: new Uint8Array(0),
      target: '',
      children: new Map(),
      modified: this.#time++,
    }
  }

  #find(path: string): HostNode | number {
    let at = this.root
    for (const name of path === '' ? [] : path.split('/')) {
      if (name === '' || name === '.' || name === '..') throw new Error(`the host is asked for "${path}"`)
      if (at.type === FileType.symlink) throw new Error(`"${path}" leads through a symbolic link`)
      if (at.type !== FileType.directory) return -ENOTDIR
      const next = at.children.get(name)
      if (next === undefined) return -ENOENT
      at = next
    }
    return at
  }

  #parent(path: string): { parent: HostNode; name: string } | number {
    const cut = path.lastIndexOf('/')
    const parent = this.#find(cut < 0 ? '' : path.slice(0, cut))
    if (typeof parent === 'number') return parent
    const name = path.slice(cut + 1)
    if (name === '' || name === '.' || name === '..') throw new Error(`the host is asked for "${path}"`)
    if (parent.type === FileType.symlink) throw new Error(`"${path}" leads through a symbolic link`)
    return { parent, name }
  }

  #stat(node: HostNode): HostStat {
    const time: Time = { seconds: node.modified, nanoseconds: 0 }
    const size = node.type === FileType.symlink ? node.target.length : node.bytes.length
    const times = { accessed: time, modified: time, changed: time }
    return { mode: node.type | node.permissions, size, links: node.links, identity: `1:${node.id}`, ...times }
  }

  lstat(path: string): HostStat | number {
    const node = this.#find(path)
    return typeof node === 'number' ? node : this.#stat(node)
  }

  list(path: string): readonly HostListed[] | number {
    const node = this.#find(path)
    if (typeof node === 'number') return node
    return [...node.children].map(([name, { type }]) => ({ name, type }))
  }

  readLink(path: string): string | number {
    const node = this.#find(path)
    return typeof node === 'number' ? node : node.target
  }

  open(path: string, writable: boolean): number {
    const node = this.#find(path)
    if (typeof node === 'number') return node
    if (node.type !== FileType.regular) throw new Error(`"${path}" is opened and is no file`)
    this.handles.set(this.#nextHandle, { node, writable })
    return this.#nextHandle++
  }

  close(handle: number): void {
    if (!this.handles.delete(handle)) throw new Error('a handle is closed twice')
  }

  read(handle: number, offset: number, target: Uint8Array): number {
    const failure = this.failures.get('read')
    if (failure !== undefined) return failure
    const part = this.handles.get(handle)!.node.bytes.subarray(offset, offset + target.length)
    target.set(part)
    return part.length
  }

  write(handle: number, offset: number, source: Uint8Array): number {
    const { node, writable } = this.handles.get(handle)!
    if (!writable) return -EBADF
    const failure = this.failures.get('write')
    if (failure !== undefined) return failure
    const bytes = new Uint8Array(Math.max(node.bytes.length, offset + source.length))
    bytes.set(node.bytes)
    bytes.set(source, offset)
    node.bytes = bytes
    node.modified = this.#time++
    return source.length
  }

  truncate(handle: number, size: number): number {
    const { node, writable } = this.handles.get(handle)!
    if (!writable) return -EINVAL
    const bytes = new Uint8Array(size)
    bytes.set(node.bytes.subarray(0, size))
    node.bytes = bytes
    node.modified = this.#time++
    return 0
  }

  sync(): number {
    return 0
  }

  statHandle(handle: number): HostStat {
    return this.#stat(this.handles.get(handle)!.node)
  }

  #add(path: string, type: number, permissions: number): HostNode | number {
    const place = this.#parent(path)
    if (typeof place === 'number') return place
    if (place.parent.children.has(place.name)) return -EEXIST
    const node = this.#node(type, permissions)
    place.parent.children.set(place.name, node)
    return node
  }

  createFile(path: string, permissions: number): number {
    const node = this.#add(path, FileType.regular, permissions)
    return typeof node === 'number' ? node : 0
  }

  makeDirectory(path: string, permissions: number): number {
    const node = this.#add(path, FileType.directory, permissions)
    return typeof node === 'number' ? node : 0
  }

  symlink(path: string, target: string): number {
    const node = this.#add(path, FileType.symlink, 0o777)
    if (typeof node === 'number') return node
    node.target = target
    return 0
  }

  link(existing: string, path: string): number {
    const node = this.#find(existing)
    const place = this.#parent(path)
    if (typeof node === 'number') return node
    if (typeof place === 'number') return place
    node.links++
    place.parent.children.set(place.name, node)
    return 0
  }

  unlink(path: string): number {
    const node = this.#find(path)
    const place = this.#parent(path)
    if (typeof node === 'number' || typeof place === 'number') return -ENOENT
    if (node.type === FileType.directory) return -EISDIR
    node.links--
    place.parent.children.delete(place.name)
    return 0
  }

  removeDirectory(path: string): number {
    const node = this.#find(path)
    const place = this.#parent(path)
    if (typeof node === 'number' || typeof place === 'number') return -ENOENT
    if (node.children.size > 0) return -ENOTEMPTY
    place.parent.children.delete(place.name)
    return 0
  }

  rename(from: string, to: string): number {
    const node = this.#find(from)
    const source = this.#parent(from)
    const target = this.#parent(to)
    if (typeof node === 'number' || typeof source === 'number' || typeof target === 'number') return -ENOENT
    const replaced = target.parent.children.get(target.name)
    if (replaced !== undefined && replaced.children.size > 0) return -ENOTEMPTY
    source.parent.children.delete(source.name)
    target.parent.children.set(target.name, node)
    return 0
  }

  setPermissions(path: string, permissions: number): number {
    const node = this.#find(path)
    if (typeof node === 'number') return node
    node.permissions = permissions
    return 0
  }

  setTimes(path: string, _accessed: Time, modified: Time): number {
    const node = this.#find(path)
    if (typeof node === 'number') return node
    node.modified = modified.seconds
    return 0
  }
}
