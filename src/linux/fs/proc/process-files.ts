/** The files of /proc/PID. */

import { mapsText } from '../../../space/maps.js'
import { LockRank } from '../../../state/atomics.js'
import type { Process } from '../../process.js'
import { pathOf } from '../describe.js'
import { type FileUser, userOf } from '../file-user.js'
import type { Dentry } from '../nodes.js'
import { fromUnicode } from '../text.js'
import type { Vfs } from '../vfs.js'
import { directory, file, link, type ProcDirectory, type ProcNode, processFile } from './proc-node.js'
import { limitsText, statmText, statText, statusText } from './process-status.js'

/** Name of a process as ps shows it: 15 bytes. */
const COMM_MAX = 15

const links: Record<string, ProcNode> = {
  exe: link((_vfs, process) => fromUnicode(process?.executable ?? '')),
  cwd: userLink((user) => user.cwd),
  root: userLink((user) => user.root),
}

const texts: Record<string, ProcNode> = {
  maps: processFile(maps),
  status: processFile(statusText),
  stat: processFile(statText),
  statm: processFile(statmText),
  limits: processFile(limitsText),
  cmdline: processFile(({ arguments: list }) => zeroEnded(list)),
  environ: processFile(({ environment }) => zeroEnded(environment), 0o400),
  comm: {
    ...processFile(({ name }) => `${fromUnicode(name)}\n`, 0o644),
    write: (source, process) => {
      if (process !== undefined) process.name = new TextDecoder().decode(source.slice(0, COMM_MAX))
      return source.length
    },
  },
  mounts: file((vfs) => mountsText(vfs)),
  wchan: processFile(() => '0'),
  oom_score: processFile(() => '0\n'),
  oom_score_adj: processFile(() => '0\n', 0o644),
  pagemap: processFile(() => '', 0o400),
}

const descriptors: ProcDirectory = { ...directory({}, descriptorLinks), permissions: 0o500 }
const descriptorInfo: ProcDirectory = { ...directory({}, descriptorTexts) }

const own = { ...links, ...texts, fd: descriptors, fdinfo: descriptorInfo }

/** /proc/PID; its threads have the same files. */
export const PROCESS_TREE: ProcDirectory = directory({
  ...own,
  task: directory({}, (_vfs, process) => (process === undefined ? {} : { [process.id]: directory(own) })),
})

function userLink(of: (user: FileUser) => Dentry): ProcNode {
  return link(
    (vfs, process) => (process === undefined ? '' : (of(userOf(process)) ?? vfs.root)),
    (vfs, process) => (process === undefined ? '' : pathOf(of(userOf(process)), vfs.root)),
  )
}

function zeroEnded(list: readonly string[]): string {
  return list.map((text) => `${fromUnicode(text)}\0`).join('')
}

function maps({ space }: Process, vfs: Vfs): string {
  const { mm } = vfs.env
  mm.atomics.lock(space.lock, LockRank.space)
  const text = mapsText(mm, space, ({ object }) => vfs.names.of(object))
  mm.atomics.unlock(space.lock, LockRank.space)
  return text
}

/** /proc/PID/fd: every open file, a link to what it is. */
function descriptorLinks(vfs: Vfs, process: Process | undefined): Record<string, ProcNode> {
  const found: Record<string, ProcNode> = {}
  if (process === undefined) return found
  const { files } = userOf(process)
  for (const fd of files.numbers()) {
    const { dentry } = files.get(fd)!
    found[fd] = link(
      () => dentry,
      () => pathOf(dentry, vfs.root),
    )
  }
  return found
}

function descriptorTexts(_vfs: Vfs, process: Process | undefined): Record<string, ProcNode> {
  const found: Record<string, ProcNode> = {}
  if (process === undefined) return found
  const { files } = userOf(process)
  for (const fd of files.numbers()) {
    found[fd] = file(() => {
      const open = files.get(fd)
      if (open === undefined) return ''
      return `pos:\t${open.position}\nflags:\t0${open.flags.toString(8)}\nmnt_id:\t1\nino:\t${open.dentry.inode.number}\n`
    })
  }
  return found
}

/** /proc/PID/mounts. */
function mountsText(vfs: Vfs): string {
  return vfs.state.filesystems
    .filter(({ mountPath }) => mountPath !== '')
    .map(({ source, mountPath, kind, readOnly }) => {
      const type = kind === 'host' ? '9p' : kind
      return `${source} ${mountPath} ${type} ${readOnly ? 'ro' : 'rw'},relatime 0 0\n`
    })
    .join('')
}
