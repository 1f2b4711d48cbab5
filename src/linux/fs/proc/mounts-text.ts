/** /proc/PID/mounts and mountinfo, as fs/proc_namespace.c words them. */
import type { Filesystem } from '../nodes.js'
import type { Vfs } from '../vfs.js'

function mounted(vfs: Vfs): Filesystem[] {
  return vfs.state.filesystems.filter(({ mountPath }) => mountPath !== '')
}

/** Blanks and the like in a path are written in octal. */
function escaped(text: string): string {
  return text.replace(/[ \t\n\\]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)
}

const typeOf = ({ kind }: Filesystem) => (kind === 'host' ? '9p' : kind)
const access = ({ readOnly }: Filesystem) => (readOnly ? 'ro' : 'rw')

export function mountsText(vfs: Vfs): string {
  return mounted(vfs)
    .map((of) => `${escaped(of.source)} ${escaped(of.mountPath)} ${typeOf(of)} ${access(of)},relatime 0 0\n`)
    .join('')
}

/** Numbers of mounts are those of statx(2) and fdinfo. */
export function mountInfoText(vfs: Vfs): string {
  const all = mounted(vfs)
  const numberOf = (of: Filesystem) => vfs.state.filesystems.indexOf(of) + 1
  return all
    .map((of) => {
      const device = `${(of.device >>> 8) & 0xfff}:${(of.device & 0xff) | ((of.device >>> 12) & 0xfff00)}`
      const ids = `${numberOf(of)} ${numberOf(parentOf(all, of))} ${device}`
      const options = `${access(of)},relatime - ${typeOf(of)} ${escaped(of.source)} ${access(of)}`
      return `${ids} / ${escaped(of.mountPath)} ${options}\n`
    })
    .join('')
}

/** The mount with the longest path above this one; the root is its own. */
function parentOf(all: readonly Filesystem[], of: Filesystem): Filesystem {
  const above = all.filter(({ mountPath }) => {
    const folder = mountPath === '/' ? '/' : `${mountPath}/`
    return mountPath !== of.mountPath && of.mountPath.startsWith(folder)
  })
  return above.sort((a, b) => b.mountPath.length - a.mountPath.length)[0] ?? of
}
