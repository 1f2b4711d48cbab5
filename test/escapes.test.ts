/**
 * Ways out of a root or a mount of the host, tried on real folders: nothing outside is ever read, and nothing outside changes. A
 * way answers with whatever it got hold of.
 */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { NodeDirectory } from '../src/cli/node-directory.js'
import { At, Open } from '../src/linux/fs/flags.js'
import { AT_FDCWD, FileMachine, OUT } from '../src/linux/fs/testing/file-machine.js'

const SECRET = 'what lies outside'
const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A guest with a root and a mount at /mnt, both in a folder with a secret. */
class Prison {
  readonly outside = realpathSync(mkdtempSync(join(tmpdir(), 'pagoda-escapes-')))
  readonly root = join(this.outside, 'root')
  readonly mount = join(this.outside, 'mount')
  readonly machine: FileMachine

  constructor() {
    folders.push(this.outside)
    writeFileSync(join(this.outside, 'secret'), SECRET)
    mkdirSync(join(this.outside, 'folder'))
    writeFileSync(join(this.outside, 'folder/secret'), SECRET)
    for (const inside of [this.root, this.mount]) this.#fill(inside)
    this.machine = new FileMachine(8, '/', [new NodeDirectory(this.root, true)])
    this.machine.files.mount('/mnt', new NodeDirectory(this.mount))
  }

  #fill(inside: string): void {
    mkdirSync(join(inside, 'a/b/c'), { recursive: true })
    for (const name of ['file', 'a/file', 'a/b/file']) writeFileSync(join(inside, name), 'inside')
    const links = {
      relative: '../secret',
      deep: `../../../../../../../../../../..${this.outside}/secret`,
      absolute: `${this.outside}/secret`,
      directory: this.outside,
      up: '..',
      'a/up': '../..',
      'a/chain': 'up/up/relative',
      'a/b/self': '/proc/self/root/../secret',
    }
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(inside, name))
  }

  read(path: string): string {
    return `${this.machine.readFile(path)}`
  }

  /** From the directory that a file number stands for. */
  readAt(fd: number, path: string, flags = 0): string {
    const file = this.machine.call('openat', fd, path, flags, 0o644)
    return file < 0 ? `${file}` : `${this.machine.readAll(file)}`
  }

  openDirectory(path: string, flags = 0): number {
    return this.machine.open(path, Open.directory | flags)
  }

  /** All names outside, and the secrets. */
  surroundings(): string {
    const secrets = ['secret', 'folder/secret'].map((name) => readFileSync(join(this.outside, name), 'utf8'))
    return [...secrets, ...readdirSync(this.outside), ...readdirSync(join(this.outside, 'folder'))].join()
  }
}

const UP = ['secret', '../secret', '../../secret', '../../../../../../../secret', '../folder/secret']
const bases = ['/', '/mnt/', '/a/b/', '/mnt/a/b/']
const make = (m: FileMachine, target: string, path: string) => m.call('symlinkat', target, AT_FDCWD, path)

const ways: Record<string, (p: Prison) => string[]> = {
  'names upwards': (p) => bases.flatMap((base) => UP.map((path) => p.read(base + path))),
  'names upwards from a working directory': (p) =>
    bases.flatMap((base) => {
      p.machine.call('chdir', base)
      return UP.map((path) => p.read(path))
    }),
  'the path that it has on the host': (p) => [
    p.read(`${p.outside}/secret`),
    p.read(`/mnt${p.outside}/secret`),
  ],
  'links of the host': (p) =>
    [
      'relative',
      'deep',
      'absolute',
      'directory/secret',
      'up/secret',
      'a/up/secret',
      'a/chain',
      'a/b/self',
    ].flatMap((name) => [p.read(`/${name}`), p.read(`/mnt/${name}`)]),
  'links of the host in the middle of a path': (p) =>
    ['up/root/secret', 'directory/root/../secret', 'a/up/up/secret', 'up/mount/relative'].flatMap((name) => [
      p.read(`/${name}`),
      p.read(`/mnt/${name}`),
    ]),
  'links that the guest makes': (p) =>
    ['/made', '/mnt/made', '/mnt/a/made'].flatMap((path) => {
      make(p.machine, '../secret', path)
      make(p.machine, p.outside, `${path}-directory`)
      return [p.read(path), p.read(`${path}-directory/secret`), p.read(`${path}-directory/../secret`)]
    }),
  'writing through links': (p) =>
    [
      '/mnt/relative',
      '/mnt/absolute',
      '/mnt/directory/secret',
      '/mnt/directory/new',
      '/mnt/up/new',
      '/relative',
    ].map((path) => `${p.machine.writeFile(path, 'overwritten')}`),
  'making and removing upwards': (p) =>
    ['/mnt/../new', '/mnt/../../new', '/mnt/a/../../../new', '/../new', '/mnt/directory/new'].flatMap(
      (path) => [
        `${p.machine.call('mkdirat', AT_FDCWD, path, 0o755)}`,
        `${p.machine.call('renameat2', AT_FDCWD, '/mnt/a/file', AT_FDCWD, path, 0)}`,
        `${p.machine.call('unlinkat', AT_FDCWD, path.replace('new', 'secret'), 0)}`,
        `${p.machine.call('unlinkat', AT_FDCWD, path.replace('new', 'folder'), At.removeDirectory)}`,
      ],
    ),
  '/proc/self/root': (p) => UP.map((path) => p.read(`/proc/self/root/${path}`)),
  '/proc/self/cwd': (p) => {
    p.machine.call('chdir', '/mnt')
    return UP.map((path) => p.read(`/proc/self/cwd/${path}`))
  },
  '/proc/self/fd of a directory': (p) =>
    bases.flatMap((base) => {
      const fd = p.openDirectory(base)
      return UP.flatMap((path) => [p.read(`/proc/self/fd/${fd}/${path}`), p.readAt(fd, path)])
    }),
  'directories opened with O_PATH': (p) =>
    bases.flatMap((base) => {
      const fd = p.openDirectory(base, Open.path)
      const up = p.machine.call('openat', fd, '../..', Open.path | Open.directory)
      return UP.flatMap((path) => [p.readAt(fd, path), p.readAt(up, path), p.readAt(up, 'folder/secret')])
    }),
  'links opened with O_PATH': (p) =>
    ['/relative', '/mnt/relative', '/mnt/absolute', '/mnt/directory'].flatMap((path) => {
      const fd = p.machine.open(path, Open.path | Open.noFollow)
      return [p.read(`/proc/self/fd/${fd}`), p.read(`/proc/self/fd/${fd}/secret`), p.readAt(fd, 'secret')]
    }),
  'another root, and a way back kept open': (p) => {
    const fd = p.openDirectory('/')
    p.machine.call('chroot', '/mnt/a')
    p.machine.call('fchdir', fd)
    return UP.flatMap((path) => [p.read(path), p.read(`/${path}`), p.readAt(fd, path)])
  },
  'a working directory that moves': (p) => {
    p.machine.call('chdir', '/mnt/a/b/c')
    p.machine.call('renameat2', AT_FDCWD, '/mnt/a/b', AT_FDCWD, '/mnt/b', 0)
    p.machine.call('renameat2', AT_FDCWD, '/mnt/b/c', AT_FDCWD, '/mnt/c', 0)
    const inRoot = p.openDirectory('/a/b/c')
    p.machine.call('renameat2', AT_FDCWD, '/a/b', AT_FDCWD, '/b', 0)
    return UP.flatMap((path) => [p.read(path), p.readAt(inRoot, path)])
  },
  'a working directory that is removed': (p) => {
    p.machine.call('chdir', '/mnt/a/b/c')
    p.machine.call('unlinkat', AT_FDCWD, '/mnt/a/b/c', At.removeDirectory)
    return UP.map((path) => p.read(path))
  },
  'a folder that the host replaces by a link while it is open': (p) =>
    [p.mount, p.root].flatMap((inside) => {
      const fd = p.openDirectory(inside === p.mount ? '/mnt/a' : '/a')
      renameSync(join(inside, 'a'), join(inside, 'old'))
      symlinkSync(p.outside, join(inside, 'a'))
      const got = ['secret', 'folder/secret', 'b/../secret'].flatMap((path) => [
        p.readAt(fd, path),
        p.read(`/mnt/a/${path}`),
        p.read(`/a/${path}`),
      ])
      p.machine.call('openat', fd, 'planted', Open.create | Open.writeOnly, 0o644)
      return [...got, `${p.machine.names('/a')}`]
    }),
  'a file that the host replaces by a link': (p) => {
    const before = [p.machine.stat('/file'), p.machine.stat('/mnt/file')]
    for (const inside of [p.root, p.mount]) {
      rmSync(join(inside, 'file'))
      symlinkSync('../secret', join(inside, 'file'))
    }
    p.machine.writeFile('/mnt/file', 'overwritten')
    return [...before.map(String), p.read('/file'), p.read('/mnt/file')]
  },
  'a folder on the way that the host replaces by a link': (p) => {
    const got = [p.read('/a/b/file'), p.read('/mnt/a/b/file')]
    for (const inside of [p.root, p.mount]) {
      rmSync(join(inside, 'a/b'), { recursive: true })
      symlinkSync(join(p.outside, 'folder'), join(inside, 'a/b'))
    }
    return [...got, p.read('/a/b/secret'), p.read('/mnt/a/b/secret'), p.read('/a/b/c/../secret')]
  },
  'names with odd bytes': (p) =>
    [
      '..\\secret',
      '..\0/../secret',
      '.. /secret',
      '%2e%2e/secret',
      '\u2024\u2024/secret',
      './/..///secret',
      '...',
    ].flatMap((path) => bases.map((base) => p.read(base + path))),
  'names that are no UTF-8, and long ones': (p) => {
    const bytes = (...codes: number[]) =>
      Uint8Array.from([...'/mnt/'].map((c) => c.charCodeAt(0)).concat(codes, 0))
    const odd = [
      bytes(0xc0, 0xae, 0xc0, 0xae, 0x2f, 0x73),
      bytes(0xff, 0x2f, 0x2e, 0x2e),
      bytes(0x2e, 0x2e, 0x80),
    ]
    const results = odd.map((path) => `${p.machine.call('openat', AT_FDCWD, path, Open.create, 0o644)}`)
    return [
      ...results,
      p.read(`/mnt/${'x'.repeat(300)}/../secret`),
      p.read(`/mnt/${'../'.repeat(1300)}secret`),
    ]
  },
  'hard links': (p) => {
    const link = (from: string, to: string, flags = 0) =>
      p.machine.call('linkat', AT_FDCWD, from, AT_FDCWD, to, flags)
    const tries = [
      link('/mnt/relative', '/mnt/got', At.symlinkFollow),
      link('/mnt/absolute', '/mnt/got2', At.symlinkFollow),
      link('/relative', '/got3', At.symlinkFollow),
      link('/mnt/relative', '/mnt/a/got4'),
      link('/mnt/../secret', '/mnt/got5'),
    ]
    const got = ['/mnt/got', '/mnt/got2', '/got3', '/mnt/a/got4', '/mnt/got5'].map((path) => p.read(path))
    return [...tries.map(String), ...got]
  },
  'mounts at links and upwards': (p) => {
    const { files } = p.machine
    const tries = ['/mnt/up/x', '/mnt/directory/y', '/../../z', '/directory'].map((path) =>
      files.mount(path, new NodeDirectory(p.mount)),
    )
    return [...tries.map(String), ...UP.map((path) => p.read(`/z/${path}`)), p.read('/mnt/up/x/../secret')]
  },
  programs: (p) => {
    const { files, process } = p.machine
    return ['/../secret', '/mnt/relative', `${p.outside}/secret`, '/mnt/directory/secret'].map((path) => {
      const file = files.openExecutable(process, path)
      if (typeof file === 'number') return `${file}`
      const bytes = new Uint8Array(64)
      file.read(0, bytes)
      file.close()
      return new TextDecoder().decode(bytes)
    })
  },
  'attributes, sizes and lists': (p) => [
    `${p.machine.call('truncate', '/mnt/relative', 0)}`,
    `${p.machine.call('fchmodat', AT_FDCWD, '/mnt/absolute', 0o777)}`,
    `${p.machine.call('utimensat', AT_FDCWD, '/mnt/relative', 0, 0)}`,
    `${p.machine.names('/mnt/directory')}`,
    `${p.machine.names('/mnt/up')}`,
    `${p.machine.names('/mnt/..')}`,
    `${p.machine.call('readlinkat', AT_FDCWD, '/mnt/a/../../secret', OUT, 100)}`,
  ],
}

describe('nothing outside of a root or a mount is reached by', () => {
  test.each(Object.entries(ways))('%s', (_name, way) => {
    const prison = new Prison()
    const before = prison.surroundings()
    const got = way(prison)
    expect(got.length).toBeGreaterThan(0)
    expect(got.filter((text) => text.includes(SECRET) || text.includes('folder'))).toEqual([])
    expect(prison.surroundings()).toBe(before)
    prison.machine.check()
  })

  test('and the secret would be noticed', () => {
    const prison = new Prison()
    writeFileSync(join(prison.mount, 'copy'), SECRET)
    expect(prison.read('/mnt/copy')).toBe(SECRET)
  })
})
