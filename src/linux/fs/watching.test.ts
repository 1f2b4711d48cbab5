/** Watches of inotify(7) end with their instance or their file, and count again then. */
import { beforeEach, describe, expect, test } from 'vitest'
import { EAGAIN, ENOSPC } from '../../base/errno.js'
import { Setting, writeSetting } from '../../state/settings.js'
import { restoreSnapshot, takeSnapshot } from '../../state/snapshot.js'
import { Notice } from './ipc/inotify.js'
import { AT_FDCWD, FileMachine, OUT, OUT_BYTES } from './testing/file-machine.js'

const NON_BLOCK = 0o4000
/** struct inotify_event, and what the name `folder` takes. */
const EVENT_BYTES = 16
const FOLDER_BYTES = 16

describe('watches', () => {
  let machine: FileMachine
  const state = () => machine.files.vfs.state.inotify
  const inodeOf = (name: string) => machine.files.vfs.root.children.get(name)!.inode

  beforeEach(() => {
    machine = new FileMachine()
    for (const name of ['one', 'two']) machine.files.vfs.addFile(`/${name}`, new Uint8Array(1))
  })

  test('closing an instance drops its watches and leaves those of others', () => {
    const [a, b] = [machine.call('inotify_init1', NON_BLOCK), machine.call('inotify_init1', NON_BLOCK)]
    for (const fd of [a, b]) machine.call('inotify_add_watch', fd, '/one', Notice.open)
    machine.call('inotify_add_watch', a, '/two', Notice.open)
    expect(state().watches).toBe(3)
    machine.call('close', a)
    expect(state().watches).toBe(1)
    expect(inodeOf('one').watches).toHaveLength(1)
    expect(inodeOf('two').watches).toBeNull()
    machine.call('close', b)
    expect([...state().usage.values()]).toEqual([{ instances: 0, watches: 0 }])
  })

  test('a file that goes takes its watches along, and their room is free again', () => {
    writeSetting(machine.mm.memory, Setting.inotifyWatchesMax, 1)
    const fd = machine.call('inotify_init1', NON_BLOCK)
    expect(machine.call('inotify_add_watch', fd, '/one', Notice.deleteSelf)).toBe(1)
    expect(machine.call('inotify_add_watch', fd, '/two', Notice.deleteSelf)).toBe(-ENOSPC)
    machine.call('unlinkat', AT_FDCWD, '/one', 0)
    expect(state().watches).toBe(0)
    expect(machine.call('inotify_add_watch', fd, '/two', Notice.deleteSelf)).toBe(3)
  })

  test('a snapshot has watches and what is queued: put back, they are read and told as before', () => {
    const { files, user, mm } = machine
    const { vfs } = files
    const fd = machine.call('inotify_init1', NON_BLOCK)
    const open = () => machine.call('close', machine.call('openat', AT_FDCWD, '/one', 0))
    const read = () => {
      const bytes = machine.call('read', fd, OUT, OUT_BYTES)
      return bytes < 0 ? bytes : [...machine.peek(OUT, bytes)]
    }
    machine.call('inotify_add_watch', fd, '/one', Notice.open | Notice.closeNoWrite)
    machine.call('inotify_add_watch', fd, '/', Notice.create)
    open()
    machine.call('mkdirat', AT_FDCWD, '/folder', 0o755)
    const snapshot = takeSnapshot(mm.memory)
    const plain = structuredClone({ state: vfs.state, instance: user.files.get(fd)! })

    const queued = read()
    expect(queued).toHaveLength(3 * EVENT_BYTES + FOLDER_BYTES)
    open()
    const told = read()
    machine.call('unlinkat', AT_FDCWD, '/one', 0)
    machine.call('close', fd)

    restoreSnapshot(mm.memory, snapshot)
    Object.assign(vfs.state, plain.state)
    user.root = user.cwd = vfs.root
    plain.instance.references = 0
    user.files.install(fd, plain.instance, false)
    expect(read()).toEqual(queued)
    expect(read()).toBe(-EAGAIN)
    open()
    expect(read()).toEqual(told)
    machine.call('inotify_rm_watch', fd, 1)
    expect(inodeOf('one').watches).toBeNull()
    machine.call('close', fd)
    expect([state().watches, ...state().usage.values()]).toEqual([0, { instances: 0, watches: 0 }])
  })
})
