import type { EventSource } from './event-source.js'

export interface UnixSocket {
  readonly events: EventSource
}
