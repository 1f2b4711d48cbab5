/** Watches of inotify(7) end with their instance or their file, and count again then. */
import { beforeEach, describe, expect, test } from 'vitest'
import { ENOSPC } from '../../base/errno.js'
import { Setting, writeSetting } from '../../state/settings.js'
import { Notice } from './ipc/inotify.js'
import { AT_FDCWD, FileMachine } from './testing/file-machine.js'

const NON_BLOCK = 0o4000

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
})
