import { mark, tone } from '../../lib/mark.js'
import { words } from '../../model/words.js'
import { html } from '../html.js'
import { Icon } from '../icons.js'
import { Actions } from './actions.js'
import { Quote } from './quote.js'
import { Reactions } from './reactions.js'
import { Text } from './text.js'
import { times } from './time.js'

/** @import { Message } from '../../types' */
/** @import { MessageRow, PendingRow } from '../../state/rows.js' */
/** @import { Reader } from './reader.js' */

/** @param {{ row: MessageRow | PendingRow, reader: Reader, active: boolean }} props */
export function Message({ row, reader, active }) {
  const { chat, room } = reader
  const say = words.value.log
  const me = chat.me.value
  const message = row.kind === 'message' ? row.message : draft(row, me)
  const { m, by, name, at, text, reply } = message
  const isCalled = by !== me?.user && message.mentions.some((user) => user === me?.user || user[0] === '@')
  const isPending = row.kind === 'pending'
  const kind = name === 'Administrator' ? 'operator' : by[0] === 'w' ? 'hook' : ''
  const time = times.value.clock.format(at)
  const when =
    !isPending &&
    html`
      <a class="when" href=${`#/${room}/${m}`} tabindex="-1">
        <time dateTime=${new Date(at).toISOString()} title=${times.value.full.format(at)}>${row.head ? time : times.value.brief(at)}</time>
      </a>
    `
  return html`
    <article
      class=${['message', row.head && 'head', isCalled && 'called', isPending && 'pending', kind].filter(Boolean).join(' ')}
      data-m=${m || null}
      tabindex="-1"
      aria-label=${`${name}, ${isPending ? say.sending : time}`}
    >
      ${
        row.head
          ? html`
              <span class="mark" data-tone=${tone(by)} aria-hidden="true">${mark(name)}</span>
              <p class="byline"><bdi class="who">${name}</bdi>${kind === 'hook' && html`<span class="hook">${say.hook}</span>`}${when}</p>
            `
          : when
      }
      ${reply && html`<${Quote} m=${reply} message=${row.answered} reader=${reader} />`}
      <div class="said">
        ${text == null ? html`<p class="text deleted">${say.deleted}</p>` : html`<${Text} text=${text} mentions=${message.mentions} chat=${chat} />`}
        ${message.edited && text != null && html`<span class="note">${say.edited}</span>`}
        ${message.pinned && html`<span class="note"><${Icon} name="pin" />${say.pinned}</span>`}
      </div>
      <${Reactions} message=${message} reader=${reader} />
      ${active && text != null && html`<${Actions} message=${message} reader=${reader} />`}
    </article>
  `
}

/** What is on its way looks like what it will be. @param {PendingRow} row @param {{ user: string, name: string } | null} me @returns {Message} */
const draft = ({ text, reply }, me) => ({
  ...{ m: 0, n: 0, rev: 0, by: me?.user ?? '', name: me?.name ?? '', at: 0, text, reply, mentions: [], reactions: [], nonce: null },
  ...{ edited: false, deleted: false, pinned: false },
})
