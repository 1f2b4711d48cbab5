/**
 * Byte strings: a file name of Linux is any bytes but '/' and zero, and need not be UTF-8. Inside the file
 * system a name is a JavaScript string of characters 0 to 255, one a byte, so that it can be a Map's key and
 * loses nothing. Only the border to the host turns it into real text.
 */

/** The bytes of a byte string. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

/** The byte string of some bytes. */
export function byteString(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode.apply(null, bytes.subarray(i, i + 8192) as unknown as number[])
  }
  return text
}

/** From text to a byte string of UTF-8. */
export function fromUnicode(text: string): string {
  return byteString(new TextEncoder().encode(text))
}

/** From a byte string to text, or `undefined` when it is not UTF-8. */
export function toUnicode(text: string): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytesOf(text))
  } catch {
    return undefined
  }
}
