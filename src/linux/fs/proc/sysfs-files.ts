/** The few files of /sys that programs look at: how many processors there are. */
import type { FileEnvironment } from '../environment.js'
import { FilesystemMagic } from '../flags.js'
import type { MadeUp } from './proc-filesystem.js'
import { directory, file } from './proc-node.js'

/** A list of processor numbers: `0`, `0-3`. */
function allProcessors({ mm }: FileEnvironment): string {
  const last = mm.tlbs.hartCount - 1
  return last === 0 ? '0\n' : `0-${last}\n`
}

const processors = file((_vfs, _process, env) => allProcessors(env))

const cpu = directory({
  online: processors,
  possible: processors,
  present: processors,
  offline: file(() => '\n'),
  kernel_max: file(() => '63\n'),
  isolated: file(() => '\n'),
})

const node = directory({ online: file(() => '0\n'), possible: file(() => '0\n') })

const transparent = directory({
  enabled: file(() => 'always madvise [never]\n'),
  hpage_pmd_size: file(() => '2097152\n'),
})

export const SYSFS: MadeUp = {
  tree: directory({
    block: directory({}),
    bus: directory({}),
    class: directory({}),
    dev: directory({}),
    devices: directory({ system: directory({ cpu, node }) }),
    firmware: directory({}),
    fs: directory({}),
    kernel: directory({ mm: directory({ transparent_hugepage: transparent }) }),
    module: directory({}),
    power: directory({}),
  }),
  hasProcesses: false,
  magic: FilesystemMagic.sysfs,
}
