import { ui } from '../../model/ui.js'

/** @import { Message } from '../../types' */
/** @import { Reader } from './reader.js' */

/** What may be done with a message by who reads it. @param {Message} message @param {Reader} reader */
export function allowed({ by }, { chat, entry }) {
  const isMine = by === chat.me.peek()?.user
  const isOwner = entry?.role === 'owner'
  return { isMine, mayRemove: isMine || isOwner, maySay: isOwner || entry?.post !== 'owners' }
}

/** @param {Message} message @param {Reader} reader */
export const reply = ({ m }, { room }) => (ui.reply.value = { ...ui.reply.value, [room]: m })

/** @param {Message} message @param {Reader} reader */
export const edit = ({ m }, { room }) => (ui.editing.value = { room, m })
