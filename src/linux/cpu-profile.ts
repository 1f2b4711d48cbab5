/**
 * A profile as V8 and its tools write it (Chrome DevTools Protocol, type Profiler.Profile): Chrome's developer tools, Visual Studio Code and
 * speedscope show files of it, named *.cpuprofile.
 */

/** Something that takes time: a process, a file, a function. */
export interface ProfileNode {
  readonly id: number
  readonly name: string
  readonly url: string
  readonly children: Map<string, ProfileNode>
  hits: number
}

/** In microseconds. */
export interface CpuProfileFile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: {
      readonly functionName: string
      readonly scriptId: string
      readonly url: string
      readonly lineNumber: number
      readonly columnNumber: number
    }
    readonly hitCount: number
    readonly children: readonly number[]
  }[]
  readonly startTime: number
  readonly endTime: number
  /** Numbers of nodes, and how long after the one before each of them ended. */
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

export class CpuProfile {
  readonly root: ProfileNode = { id: 1, name: '(root)', url: '', children: new Map(), hits: 0 }
  readonly #nodes: ProfileNode[] = [this.root]
  readonly #samples: number[] = []
  readonly #deltas: number[] = []
  #time = 0
  /** Microseconds by the name of the node that took them. */
  readonly #byName = new Map<string, number>()

  /** The child of that name, made when it is new. `url` says where it is. */
  child(parent: ProfileNode, name: string, url = ''): ProfileNode {
    let node = parent.children.get(name)
    if (node === undefined) {
      node = { id: this.#nodes.length + 1, name, url, children: new Map(), hits: 0 }
      this.#nodes.push(node)
      parent.children.set(name, node)
    }
    return node
  }

  /** The node took so long since the last sample. Fractions are carried on. */
  add(node: ProfileNode, microseconds: number): void {
    const end = this.#time + microseconds
    node.hits++
    this.#samples.push(node.id)
    this.#deltas.push(Math.round(end) - Math.round(this.#time))
    this.#time = end
    this.#byName.set(node.name, (this.#byName.get(node.name) ?? 0) + microseconds)
  }

  get sampleCount(): number {
    return this.#samples.length
  }

  /** Microseconds, all together. */
  get time(): number {
    return this.#time
  }

  /** Microseconds of all nodes of a name. */
  timeOf(name: string): number {
    return this.#byName.get(name) ?? 0
  }

  toJSON(): CpuProfileFile {
    return {
      nodes: this.#nodes.map(({ id, name, url, children, hits }) => ({
        id,
        callFrame: { functionName: name, scriptId: '0', url, lineNumber: -1, columnNumber: -1 },
        hitCount: hits,
        children: [...children.values()].map((child) => child.id),
      })),
      startTime: 0,
      endTime: Math.round(this.#time),
      samples: this.#samples,
      timeDeltas: this.#deltas,
    }
  }
}
