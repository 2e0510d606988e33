/** A conversation, line by line: what stands between the messages, and what belongs together. */
import { changed, find } from './timeline.js'

/**
 * @import { Entry, Failed, Message, Range } from '../types'
 *
 * @typedef {{ kind: 'message', key: string, message: Message, head: boolean, answered?: Message }} MessageRow
 * @typedef {{ kind: 'pending', key: string, text: string, reply: number | null, head: boolean, answered?: Message }} PendingRow
 * @typedef {{ kind: 'failed', key: string, entry: Failed }} FailedRow
 * @typedef {{ kind: 'gap', key: string, after: number, before: number, count: number }} GapRow
 * @typedef {{ kind: 'day', key: string, at: number }} DayRow
 * @typedef {{ kind: 'new' | 'start' | 'more', key: string }} MarkRow
 * @typedef {MessageRow | PendingRow | FailedRow | GapRow | DayRow | MarkRow} Row
 *
 * @typedef {object} View
 * @property {Message[]} messages in memory
 * @property {Range[]} ranges
 * @property {number} first
 * @property {number} n messages in all
 * @property {boolean} open
 * @property {number} start the first of them that is shown, and
 * @property {number} end the first after it that isn't
 * @property {number | null} line the last `seq` that was read, if a line is to be drawn after it
 * @property {string | null} me
 * @property {Entry[]} outbox of this room
 * @property {Failed[]} failed likewise
 * @property {(at: number) => unknown} day what two times of one day have in common
 */

const TOGETHER = 5 * 60_000 // ms between two messages of one author that stand under one name

/** Whether nothing is above what is in memory. @param {Pick<View, 'ranges' | 'first' | 'n' | 'open'>} view */
export const isWhole = ({ ranges, first, n, open }) => (ranges.length ? ranges[0].low <= first : open && !n)

/** @param {View} view */
export function rows({ messages, ranges, start, end, line, me, outbox, failed, day, ...rest }) {
  /** @type {Row[]} */
  const out = []
  const changes = outbox.filter(({ change }) => change)
  const whole = isWhole({ ranges, ...rest })
  if (!start) out.push(whole ? { kind: 'start', key: 'start' } : { kind: 'more', key: 'more' })
  let last = /** @type {Message | undefined} */ (messages[start - 1])
  let isFresh = line !== null && (last ? last.m <= line : whole)
  let at = last ? ranges.findIndex(({ high }) => high >= /** @type {Message} */ (last).m) : 0
  for (const known of messages.slice(start, end)) {
    const from = at
    while (ranges[at]?.high < known.m) at++
    const count = last && at > from ? known.n - last.n - 1 : 0
    const isNewDay = !last || day(last.at) !== day(known.at)
    let head = isNewDay || !last || !together(last, known)
    if (isFresh && known.m > /** @type {number} */ (line) && known.by !== me) {
      isFresh = false
      head = true
      out.push({ kind: 'new', key: 'new' })
    }
    if (count > 0) {
      head = true
      const [after, before] = [ranges[from].high, ranges[at].low]
      out.push({ kind: 'gap', key: `${after}-${before}`, after, before, count })
    }
    if (isNewDay) out.push({ kind: 'day', key: `day ${known.m}`, at: known.at })
    const message = changes.reduce((message, { change }) => applied(message, change, me), known)
    const answered = known.reply ? find(messages, known.reply) : undefined
    out.push({ kind: 'message', key: keyOf(known.by, known.nonce) ?? `${known.m}`, message, head, answered })
    last = known
  }
  if (end < messages.length) return out
  let head = last?.by !== me
  for (const { nonce, send } of outbox) {
    if (!send) continue
    const reply = send.reply ?? null
    const answered = reply ? find(messages, reply) : undefined
    out.push({ kind: 'pending', key: `${keyOf(me ?? '', nonce)}`, text: send.text, reply, head, answered })
    head = false
  }
  for (const entry of failed) out.push({ kind: 'failed', key: `failed ${entry.nonce}`, entry })
  return out
}

/** Whether two rows are drawn alike. @param {Row} a @param {Row} b */
export function same(a, b) {
  const [one, other] = [Object.entries(a), /** @type {Record<string, unknown>} */ (b)]
  return one.every(([name, value]) => other[name] === value)
}

/** @param {Message} last @param {Message} next */
const together = (last, next) => last.by === next.by && last.name === next.name && next.at - last.at < TOGETHER

// What is said keeps its node when it arrives: it is called by its author's nonce before and after.
const keyOf = (/** @type {string} */ by, /** @type {string | null} */ nonce) => (nonce ? `${by} ${nonce}` : undefined)

/** A message with a change that is still to be sent. @param {Message} message @param {Entry['change']} change @param {string | null} me */
const applied = (message, change, me) =>
  change?.m === message.m ? changed(message, { ...change, by: me, seq: message.rev }, me) : message
