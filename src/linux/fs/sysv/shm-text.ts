/** /proc/sysvipc/shm, in the columns of sysvipc_shm_proc_show. */
import { PAGE_SIZE } from '../../../base/numbers.js'
import type { ShmSegment } from './shm-segment.js'
import type { ShmSegments } from './shm-segments.js'

const COLUMNS = [
  ['key', 10],
  ['shmid', 11],
  ['perms', 6],
  ['size', 22],
  ['cpid', 6],
  ['lpid', 6],
  ['nattch', 7],
  ['uid', 6],
  ['gid', 6],
  ['cuid', 6],
  ['cgid', 6],
  ['atime', 11],
  ['dtime', 11],
  ['ctime', 11],
  ['rss', 22],
  ['swap', 22],
] as const

export function sharedMemoryText(segments: ShmSegments): string {
  const heading = COLUMNS.map(([name, width]) => name.padStart(width)).join('')
  const lines = [...segments].map((segment) => lineOf(segments, segment))
  return [heading, ...lines].map((line) => `${line}\n`).join('')
}

/** The column of permissions is a blank narrower than its heading's end, and that of attachments begins a blank later. */
function lineOf(segments: ShmSegments, segment: ShmSegment): string {
  const { key, id, mode, bytes, creator, last, uid, gid, creatorUid, creatorGid } = segment
  const column = (value: number | string, width: number) => `${value}`.padStart(width)
  const owners = [uid, gid, creatorUid, creatorGid].map((each) => ` ${column(each, 5)}`).join('')
  const times = [segment.attached, segment.detached, segment.changed].map((each) => ` ${column(each, 10)}`)
  const resident = segments.resident(segment) * PAGE_SIZE
  const start = `${column(key, 10)} ${column(id, 10)}  ${column(mode.toString(8), 4)} ${column(bytes, 21)}`
  const processes = ` ${column(creator, 5)} ${column(last, 5)}  ${column(segments.attaches(segment), 5)}`
  return `${start}${processes}${owners}${times.join('')} ${column(resident, 21)} ${column(0, 21)}`
}
