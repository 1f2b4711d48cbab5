/** The operations of vmaoracle.c that look at a range: mincore, pagemap, PAGEMAP_SCAN, smaps. */
import { NULL, type Vpn } from '../../../src/base/numbers.js'
import { smapsRows } from '../../../src/linux/fs/proc/mapping-files.js'
import { readPagemap } from '../../../src/linux/fs/proc/pagemap.js'
import { PageCategory, PageScan } from '../../../src/space/page-scan.js'
import { Vma } from '../../../src/space/vma.js'
import { hex, mix } from './layout.js'
import { errno, type Operation, PAGE } from './operation.js'

const LETTERS_MAX = 32
const REGIONS_MAX = 2048

const letters = (text: string) =>
  text.length <= LETTERS_MAX ? text : hex([...text].reduce((hash, c) => mix(hash, c.charCodeAt(0)), 0))

export function resident(o: Operation): string {
  const bytes = o.process.residency(o.num(1), o.num(2))
  return typeof bytes === 'number' ? errno(bytes) : letters([...bytes].map((byte) => byte & 1).join(''))
}

export function entries(o: Operation): string {
  const { machine, space } = o.process
  const view = new DataView(new ArrayBuffer(o.num(2) * 8))
  readPagemap(machine.mm, space, (o.at(1) / PAGE) * 8, new Uint8Array(view.buffer), false)
  let text = ''
  for (let i = 0; i < o.num(2); i++) {
    const high = view.getUint32(i * 8 + 4, true)
    text += high >>> 31 === 0 ? '.' : (high >>> 29) & 1 ? 'f' : (high >>> 24) & 1 ? 'P' : 'p'
  }
  return letters(text)
}

export function scan(o: Operation): string {
  const { mm, base } = o.process.machine
  const returned =
    PageCategory.file |
    PageCategory.present |
    PageCategory.swapped |
    PageCategory.zeroFrame |
    PageCategory.huge
  const request = { flags: 0, inverted: 0, mask: 0, anyOf: 0, returned, pagesMax: Number.POSITIVE_INFINITY }
  const walk = new PageScan(mm, o.process.space, request, REGIONS_MAX)
  const end = base + o.num(1) + o.num(2)
  let [hash, count, result] = [0, 0, -1]
  for (let at = base + o.num(1); result < 0 && at < end; at = walk.stoppedAt) {
    result = walk.walk(at, end)
    for (const region of walk.takeRegions()) {
      hash = mix(mix(mix(hash, region.start - base), region.end - base), region.categories)
      count++
    }
  }
  return `${count} ${hex(hash)}`
}

/** Of the mappings that begin in the range, without spaces and what Linux rounds and guesses. */
export function smaps(o: Operation): string {
  const { machine, space } = o.process
  const { mm, base } = machine
  const vma = new Vma(mm.memory, NULL)
  const first = base + o.num(1)
  const end = first + o.num(2)
  let [hash, count] = [0, 0]
  for (let at = first; at < end; at = vma.end) {
    vma.at(mm.vmas.find(space, at as Vpn))
    if (vma.ptr === NULL || vma.start >= end) break
    if (vma.start < first) continue
    count++
    hash = smapsHash(mix(hash, vma.start - base), smapsRows(mm, space, vma))
  }
  return `${count} ${hex(hash)}`
}

function smapsHash(start: number, rows: string): number {
  let hash = start
  for (const row of rows.split('\n')) {
    if (row.startsWith('Referenced:')) continue
    for (const letter of row.replaceAll(' ', '')) hash = mix(hash, letter.charCodeAt(0))
  }
  return hash
}
