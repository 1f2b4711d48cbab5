/**
 * The folders of the host below a guest's root: read, never written. Where two layers have a name, the upper one's counts;
 * folders of both are one, down to the first layer that has something else there. The host is not trusted to keep to the rules:
 * names that could lead elsewhere are not seen.
 */
import { EIO } from '../../../base/errno.js'
import { FileType, NAME_MAX } from '../flags.js'
import type { HostDirectory, HostHandle, HostStat } from '../host-directory.js'
import type { LowerPlace } from '../nodes.js'
import { fromUnicode } from '../text.js'

/** Host files that are kept open. */
const HANDLES_MAX = 64

/** What the layers have by one name. */
interface Found {
  readonly type: number
  readonly places: readonly LowerPlace[]
  /** Layers further down add nothing. */
  readonly isClosed: boolean
}

export class LowerLayers {
  /** The uppermost first. */
  readonly #layers: readonly HostDirectory[]
  /** Open files, the one used last at the end. */
  readonly #handles = new Map<string, HostHandle>()

  constructor(layers: readonly HostDirectory[]) {
    this.#layers = layers
  }

  /** The top of every layer. */
  get roots(): readonly LowerPlace[] {
    return this.#layers.map((_, layer) => ({ layer, path: '' }))
  }

  stat({ layer, path }: LowerPlace): HostStat | number {
    return this.#layers[layer]!.lstat(path)
  }

  readLink({ layer, path }: LowerPlace): string | number {
    return this.#layers[layer]!.readLink(path)
  }

  /** What is in a folder that stands at these places; names are byte strings, in their order. A layer that cannot be read has nothing. */
  names(places: readonly LowerPlace[]): [string, Found][] {
    const found = new Map<string, Found>()
    for (const place of places) this.#addNames(found, place)
    return [...found].sort(([a], [b]) => (a < b ? -1 : 1))
  }

  #addNames(found: Map<string, Found>, { layer, path }: LowerPlace): void {
    const listed = this.#layers[layer]!.list(path)
    if (typeof listed === 'number') return
    for (const { name, type } of listed) {
      if (!isPlain(name)) continue
      const text = fromUnicode(name)
      const place = { layer, path: path === '' ? name : `${path}/${name}` }
      const above = found.get(text)
      if (above === undefined)
        found.set(text, { type, places: [place], isClosed: type !== FileType.directory })
      else if (!above.isClosed) found.set(text, merged(above, place, type))
    }
  }

  /** Bytes read at an offset: fewer at the end of the file; a negative errno. */
  read(place: LowerPlace, offset: number, target: Uint8Array): number {
    const handle = this.#open(place)
    if (handle < 0) return handle
    const layer = this.#layers[place.layer]!
    let done = 0
    while (done < target.length) {
      const count = layer.read(handle, offset + done, done === 0 ? target : target.subarray(done))
      if (count < 0) return count
      if (count === 0) break
      if (count > target.length - done) return -EIO
      done += count
    }
    return done
  }

  /** Whether the host lets us read the file: 0 or a negative errno. */
  checkReadable(place: LowerPlace): number {
    return Math.min(0, this.#open(place))
  }

  #open(place: LowerPlace): HostHandle {
    const key = `${place.layer}:${place.path}`
    const handle = this.#handles.get(key) ?? this.#layers[place.layer]!.open(place.path, false)
    if (handle < 0) return handle
    this.#handles.delete(key)
    this.#handles.set(key, handle)
    if (this.#handles.size > HANDLES_MAX) this.#closeOldest()
    return handle
  }

  #closeOldest(): void {
    for (const [key, handle] of this.#handles) {
      this.#handles.delete(key)
      this.#layers[Number(key.slice(0, key.indexOf(':')))]!.close(handle)
      return
    }
  }

  /** Closes every file of the host. */
  close(): void {
    while (this.#handles.size > 0) this.#closeOldest()
  }
}

/** A folder of this layer goes on what the folders above have; anything else ends it. */
function merged(above: Found, place: LowerPlace, type: number): Found {
  if (type !== FileType.directory) return { ...above, isClosed: true }
  return { ...above, places: [...above.places, place] }
}

function isPlain(name: string): boolean {
  if (name === '' || name === '.' || name === '..') return false
  return !/[/\0]/.test(name) && fromUnicode(name).length <= NAME_MAX
}
