/**
 * Texts that are made record by record while they are read (seq_read_iter of fs/seq_file.c). A reader in small pieces gets the same bytes
 * as one in large ones, each record is one state of what it tells of, and no more than a buffer of them stands in memory.
 *
 * One read gives the rest of the buffer and as many whole records more as fit in it: 4096 bytes, or twice as many as often as
 * one record does not fit.
 */
import { PAGE_SIZE } from '../../../base/numbers.js'
import { bytesOf } from '../text.js'

export interface TextRecord {
  /** A byte string. One of no length is passed over. */
  readonly text: string
  /** The cursor of the next record: any number that the source understands. */
  readonly next: number
}

/** The first record at or after a cursor, undefined after the last, or a negative errno. The first cursor is 0. */
export type RecordSource = (cursor: number) => TextRecord | number | undefined

/** Where the reader of an open file is; plain data. */
export interface RecordReading {
  /** Bytes that were made and not read yet. */
  pending: Uint8Array
  /** Of the next record. */
  cursor: number
  /** Position in the file of the first pending byte. */
  position: number
  /** Bytes of the buffer. */
  room: number
}

const NOTHING = new Uint8Array(0)

export function startReading(): RecordReading {
  return { pending: NOTHING, cursor: 0, position: 0, room: PAGE_SIZE }
}

/** Bytes read at a position; 0 at the end, or what the source says when it says so before the first byte. */
export function readRecords(
  reading: RecordReading,
  source: RecordSource,
  position: number,
  target: Uint8Array,
): number {
  if (position === 0) rewind(reading)
  if (position !== reading.position) {
    const problem = skipTo(reading, source, position)
    if (problem < 0) return problem
  }
  const rest = take(reading, target)
  if (rest === target.length || reading.pending.length > 0) return rest
  const problem = fill(reading, source, target.length - rest)
  return rest + take(reading, target.subarray(rest)) || problem
}

function rewind(reading: RecordReading): void {
  reading.pending = NOTHING
  reading.cursor = 0
  reading.position = 0
}

/** Hands pending bytes out. */
function take(reading: RecordReading, target: Uint8Array): number {
  const part = reading.pending.subarray(0, target.length)
  target.set(part)
  reading.pending = reading.pending.subarray(part.length)
  reading.position += part.length
  return part.length
}

/** Makes one record that is not empty, and more as long as they are wanted and fit. 0, or the source's errno. */
function fill(reading: RecordReading, source: RecordSource, wanted: number): number {
  const parts: Uint8Array[] = []
  let length = 0
  let problem = 0
  while (length === 0 || length < wanted) {
    const record = source(reading.cursor)
    if (record === undefined) break
    if (typeof record === 'number') {
      problem = record
      break
    }
    const bytes = bytesOf(record.text)
    if (length === 0) while (bytes.length >= reading.room) reading.room *= 2
    else if (length + bytes.length >= reading.room) break
    reading.cursor = record.next
    parts.push(bytes)
    length += bytes.length
  }
  reading.pending = joined(parts, length)
  return problem
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0]!
  const all = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** Goes to a position that is not where the reader is: through all records from the first (traverse). 0 or an errno. */
function skipTo(reading: RecordReading, source: RecordSource, position: number): number {
  rewind(reading)
  while (reading.position < position) {
    const record = source(reading.cursor)
    if (record === undefined) break
    if (typeof record === 'number') {
      rewind(reading)
      return record
    }
    reading.cursor = record.next
    const bytes = bytesOf(record.text)
    const skipped = Math.min(bytes.length, position - reading.position)
    reading.position += skipped
    reading.pending = bytes.subarray(skipped)
  }
  reading.position = position
  return 0
}
