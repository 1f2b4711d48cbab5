import { channel } from './channel.js'
import { objectOf } from './file-object.js'
import type { UnixSocket } from './unix-socket.js'

export const socketFile = channel({
  receive: () => 0,
  send: () => 0,
  poll: () => 0,
  events: (file) => objectOf<UnixSocket>(file).events,
  close: () => {},
})
