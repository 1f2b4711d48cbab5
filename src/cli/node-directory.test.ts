/** A folder of the host: what is in it can be used, nothing else can be reached, errors are Linux's. */
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { EACCES, EEXIST, EISDIR, ELOOP, ENOENT, ENOTDIR, ENOTEMPTY, EROFS } from '../base/errno.js'
import type { HostStat } from '../linux/fs/host-directory.js'
import { NodeDirectory } from './node-directory.js'

let outside: string
let root: string

beforeEach(() => {
  outside = fs.mkdtempSync(join(tmpdir(), 'pagoda-directory-'))
  root = join(outside, 'root')
  fs.mkdirSync(join(root, 'folder'), { recursive: true })
  fs.writeFileSync(join(outside, 'secret'), 'secret')
  fs.writeFileSync(join(root, 'file'), 'contents')
})
afterEach(() => fs.rmSync(outside, { recursive: true, force: true }))

const directory = (readOnly = false) => new NodeDirectory(root, readOnly)

function readAll(from: NodeDirectory, path: string): string | number {
  const handle = from.open(path, false)
  if (typeof handle === 'number' && handle < 0) return handle
  const target = new Uint8Array(100)
  const count = from.read(handle, 0, target)
  from.close(handle)
  return count < 0 ? count : Buffer.from(target.subarray(0, count)).toString()
}

it('is a folder and nothing else', () => {
  expect(() => new NodeDirectory(join(root, 'file'))).toThrow('not a directory')
  expect(() => new NodeDirectory(join(root, 'none'))).toThrow('ENOENT')
})

it('reads, writes, cuts and lists', () => {
  const host = directory()
  expect(readAll(host, 'file')).toBe('contents')
  expect(host.createFile('folder/new', 0o640)).toBe(0)
  const handle = host.open('folder/new', true)
  expect(host.write(handle, 3, Buffer.from('abcdef'))).toBe(6)
  expect(host.truncate(handle, 5)).toBe(0)
  expect((host.statHandle(handle) as HostStat).size).toBe(5)
  host.close(handle)
  expect(fs.readFileSync(join(root, 'folder/new'), 'latin1')).toBe('\0\0\0ab')
  const names = host.list('') as readonly { name: string }[]
  expect(names.map(({ name }) => name).sort()).toEqual(['file', 'folder'])
  const { mode, links } = host.lstat('folder/new') as HostStat
  expect([mode & 0o777, links]).toEqual([0o640, 1])
})

it('makes and removes names', () => {
  const host = directory()
  expect(host.makeDirectory('d', 0o755)).toBe(0)
  expect(host.link('file', 'd/again')).toBe(0)
  expect((host.lstat('file') as HostStat).links).toBe(2)
  expect(host.symlink('d/link', '../file')).toBe(0)
  expect(host.readLink('d/link')).toBe('../file')
  expect(host.rename('d/again', 'moved')).toBe(0)
  expect(host.unlink('d/link')).toBe(0)
  expect(host.removeDirectory('d')).toBe(0)
  expect(fs.readdirSync(root).sort()).toEqual(['file', 'folder', 'moved'])
})

it('answers with errnos of Linux', () => {
  const host = directory()
  fs.writeFileSync(join(root, 'folder/x'), '')
  expect(host.lstat('none')).toBe(-ENOENT)
  expect(host.lstat('file/x')).toBe(-ENOTDIR)
  expect(host.createFile('file', 0o644)).toBe(-EEXIST)
  expect(host.removeDirectory('folder')).toBe(-ENOTEMPTY)
  expect(host.open('folder', true)).toBe(-EISDIR)
})

it('never follows a link, not even one that a folder has turned into', () => {
  const host = directory()
  fs.symlinkSync('../secret', join(root, 'link'))
  fs.symlinkSync('..', join(root, 'up'))
  expect(host.open('link', false)).toBe(-ELOOP)
  expect(host.open('up/secret', false)).toBe(-ELOOP)
  expect(host.lstat('up/secret')).toBe(-ELOOP)
  expect(host.createFile('up/made', 0o644)).toBe(-ELOOP)
  expect(host.unlink('up/secret')).toBe(-ELOOP)
  expect(host.rename('file', 'up/file')).toBe(-ELOOP)
  expect(fs.readdirSync(outside).sort()).toEqual(['root', 'secret'])
})

it('does not go upwards', () => {
  for (const path of ['..', '../secret', 'folder/../../secret']) {
    expect(directory().lstat(path), path).toBe(-EACCES)
    expect(directory().open(path, true), path).toBe(-EACCES)
  }
})

it('changes nothing when it is read-only', () => {
  const host = directory(true)
  const handle = host.open('file', true)
  expect(host.write(handle, 0, Buffer.from('x'))).toBeLessThan(0)
  expect(host.truncate(handle, 0)).toBeLessThan(0)
  host.close(handle)
  const changes = [
    host.createFile('new', 0o644),
    host.makeDirectory('new', 0o755),
    host.unlink('file'),
    host.removeDirectory('folder'),
    host.rename('file', 'new'),
    host.symlink('new', 'file'),
    host.link('file', 'new'),
    host.setPermissions('file', 0o777),
    host.setTimes('file', { seconds: 0, nanoseconds: 0 }, { seconds: 0, nanoseconds: 0 }),
  ]
  expect(new Set(changes)).toEqual(new Set([-EROFS]))
  expect(fs.readFileSync(join(root, 'file'), 'utf8')).toBe('contents')
})
