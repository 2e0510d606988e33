/**
 * The Markdown that people write in a chat, as a tree: bold, italic, strike, code, quotes, lists, links, and whom it
 * calls. No HTML is made and none is understood: what isn't of this subset is the text that was typed, and so are its
 * line breaks. Any text gives a tree; one that would take long gives its lines.
 */

import { Lexer, Tokenizer } from 'marked'
import { addressAt, target } from './links.js'
import { called } from './names.js'

const DEPTH_MAX = 5 // quotes and lists in one another; what is deeper is text
const SIGNS_MAX = 400 // characters that may be marks; with more, a text is taken for a log or an attack
const SPACES_MAX = 200 // in a row, which would be looked through again from each
const CALLS_MAX = 50 // after so many the server sees no mention in an `@` either

const SIGN = /[*_~`[\]\\!<]/g
const MARKED = /[*_~`[\\]/
const SPACES = new RegExp(`\\s{${SPACES_MAX}}`)
const SAYS = /[\p{L}\p{N}\p{So}]/u // else it is a face, as *^^*
const CJK = /[\p{Script=Hangul}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u
const WORD_AT_END = /[\p{L}\p{N}]$/u
const ITEM = /^( {0,3})([-*+]|(\d{1,3})[.)]) +(?!\d+\.)(?=\S)/ // not a date: 11. 28.
const QUOTE = /^ {0,3}>(?: |$)/ // with its space: >_< is a face
const FENCE = /^ {0,3}(`{3,}|~{3,})([^`]*)$/

/**
 * @typedef {string | {tag: string, props: Record<string, any> | null, children: any[]}} Node
 * @typedef {(tag: any, props: any, ...children: any[]) => any} Make
 * @typedef {object} Options
 * @property {Make} [h] makes a node; plain objects if absent
 * @property {Map<string, string>} [names] who may be called here, of `callable`
 * @property {string} [me]
 */

/** @type {Make} */
const plainNode = (tag, props, ...children) => ({ tag, props, children })

/**
 * @param {string} text
 * @param {Options} [options]
 * @returns {any[]}
 */
export function markdown(text, { h = plainNode, names, me } = {}) {
  return new Reader(h, names, me).blocks(text.replace(/\r\n?/g, '\n').split('\n'), 0)
}

/**
 * What a text says, in one line and without marks: for quotes, notifications, and to be read aloud.
 * @param {string} text
 * @param {number} [limit] characters of `text` that are read
 */
export function plain(text, limit = 500) {
  /** @type {Make} */
  const h = (tag, props, ...children) => {
    const number = tag === 'li' && props ? `${props.value}. ` : ''
    const said = number + children.join('')
    return /^(?:br|p|pre|li|blockquote)$/.test(tag) ? ` ${said} ` : said
  }
  const read = text.slice(0, limit).replace(/[\ud800-\udbff]$/, '')
  return markdown(read, { h }).join('').replace(/\s+/g, ' ').trim()
}

class Reader {
  #calls = 0

  /**
   * @param {Make} h
   * @param {Map<string, string>} [names]
   * @param {string} [me]
   */
  constructor(h, names, me) {
    this.h = h
    this.names = names
    this.me = me
  }

  /**
   * @param {string[]} lines
   * @param {number} depth
   * @returns {any[]}
   */
  blocks(lines, depth) {
    const out = []
    for (let i = 0; i < lines.length; ) {
      const from = i
      const fence = lines[i].match(FENCE)
      if (fence) {
        const code = fenced(lines, i, fence[1])
        out.push(this.#code(code.lines, fence[2].trim()))
        i = code.next
      } else if (depth < DEPTH_MAX && QUOTE.test(lines[i])) {
        while (i < lines.length && QUOTE.test(lines[i])) i++
        const quoted = lines.slice(from, i).map((line) => line.replace(QUOTE, ''))
        out.push(this.h('blockquote', null, ...this.blocks(quoted, depth + 1)))
      } else if (depth < DEPTH_MAX && ITEM.test(lines[i])) {
        const list = items(lines, i)
        out.push(this.#list(list.items, depth))
        i = list.next
      } else if (!lines[i].trim()) {
        i++
      } else {
        while (++i < lines.length && lines[i].trim() && !begins(lines[i], depth));
        out.push(this.h('p', null, ...this.inline(lines.slice(from, i).join('\n'))))
      }
    }
    return out
  }

  /**
   * @param {string[]} lines
   * @param {string} lang
   */
  #code(lines, lang) {
    return this.h('pre', lang ? { 'data-lang': lang } : null, this.h('code', null, lines.join('\n')))
  }

  /**
   * @param {Item[]} found
   * @param {number} depth
   */
  #list(found, depth) {
    const made = found.map(({ number, first, rest }) => {
      const below = this.blocks(rest, depth + 1)
      return this.h('li', number === undefined ? null : { value: number }, ...this.inline(first), ...below)
    })
    return this.h(found[0].number === undefined ? 'ul' : 'ol', null, ...made)
  }

  /**
   * @param {string} text
   * @returns {any[]}
   */
  inline(text) {
    if (!MARKED.test(text) || (text.match(SIGN)?.length ?? 0) > SIGNS_MAX || SPACES.test(text)) {
      return text.split('\n').flatMap((line, i) => (i ? [this.h('br', null), ...this.#said(line)] : this.#said(line)))
    }
    return this.#nodes(lexer.inlineTokens(text), false)
  }

  /**
   * @param {any[]} tokens
   * @param {boolean} linked within a link, where there is no other
   * @returns {any[]}
   */
  #nodes(tokens, linked) {
    const out = []
    let text = ''
    const flush = () => {
      if (text) out.push(...(linked ? [text] : this.#said(text)))
      text = ''
    }
    for (const { type, raw, text: inner, tokens: below, href } of tokens) {
      if (type === 'text' || type === 'escape') {
        text += inner
        continue
      }
      flush()
      if (type === 'br') out.push(this.h('br', null))
      else if (type === 'codespan') out.push(this.h('code', null, inner))
      else if (type === 'link') out.push(this.#link(href, href, this.#nodes(below, true)))
      else if (TAGS[type]) out.push(this.h(TAGS[type], null, ...this.#nodes(below, linked)))
      else out.push(raw)
    }
    flush()
    return out
  }

  /**
   * Text without marks: its addresses are links, its calls are marked.
   * @param {string} text
   */
  #said(text) {
    const out = []
    let done = 0
    for (const { 0: sign, index } of text.matchAll(/@|(?<![A-Za-z0-9])(?:https?:\/\/|mailto:|www\.)/gi)) {
      if (index < done) continue
      const call = sign === '@' && this.names?.size && this.#calls++ < CALLS_MAX && called(text, index, this.names)
      const address = sign === '@' ? undefined : addressAt(text.slice(index))
      if (!call && !address) continue
      if (index > done) out.push(text.slice(done, index))
      done = call ? call.end : index + (address ?? '').length
      const shown = text.slice(index, done)
      out.push(call ? this.#call(call.user, shown) : this.#link(shown, undefined, [shown]))
    }
    if (done < text.length) out.push(text.slice(done))
    return out
  }

  /**
   * @param {string} user
   * @param {string} shown
   */
  #call(user, shown) {
    const mine = user === this.me || user[0] === '@'
    return this.h('span', { class: mine ? 'mention mine' : 'mention', 'data-user': user }, shown)
  }

  /**
   * @param {string} address
   * @param {string | undefined} title where a link goes that is called something else
   * @param {any[]} children
   */
  #link(address, title, children) {
    const props = { href: target(address), rel: 'noopener noreferrer', target: '_blank' }
    return this.h('a', title ? { ...props, title: props.href } : props, ...children)
  }
}

/** @type {Record<string, string>} */
const TAGS = { strong: 'strong', em: 'em', del: 'del' }

/**
 * @param {string} line
 * @param {number} depth
 */
function begins(line, depth) {
  return FENCE.test(line) || (depth < DEPTH_MAX && (QUOTE.test(line) || ITEM.test(line)))
}

/**
 * The lines between a fence and its end, which may stand behind the last of them.
 * @param {string[]} lines
 * @param {number} at
 * @param {string} fence
 */
function fenced(lines, at, fence) {
  const code = []
  let next = at + 1
  for (; next < lines.length; next++) {
    const line = lines[next].trimEnd()
    const end = line.length - (line.match(fence[0] === '`' ? /`+$/ : /~+$/)?.[0].length ?? 0)
    if (line.length - end < fence.length) {
      code.push(lines[next])
      continue
    }
    if (line.slice(0, end).trim()) code.push(line.slice(0, end))
    return { lines: code, next: next + 1 }
  }
  return { lines: code, next }
}

/** @typedef {{number: number | undefined, first: string, rest: string[]}} Item */

/**
 * The items of the list that begins at a line. What is set in by two spaces or more belongs to the item above.
 * @param {string[]} lines
 * @param {number} at
 */
function items(lines, at) {
  const start = /** @type {RegExpMatchArray} */ (lines[at].match(ITEM))
  /** @type {Item[]} */
  const found = []
  let next = at
  for (; next < lines.length; next++) {
    const line = lines[next]
    const item = line.match(ITEM)
    if (item && (!found.length || item[1].length < start[1].length + 2)) {
      if ((item[3] === undefined) !== (start[3] === undefined)) break
      const number = item[3] === undefined ? undefined : Number(item[3])
      found.push({ number, first: line.slice(item[0].length), rest: [] })
    } else if (/^(?: {2}|\t)/.test(line) && line.trim()) {
      found[found.length - 1].rest.push(line.replace(/^(?: {2,3}|\t)/, ''))
    } else break
  }
  return { items: found, next }
}

/** marked's rules, for what this subset has. A rule that gives nothing leaves its characters to `inlineText`. */
class Subset extends Tokenizer {
  /** @returns {undefined} */
  tag() {}
  /** @returns {undefined} */
  reflink() {}
  /** @returns {undefined} */
  autolink() {}

  /** @param {string} src @returns {any} */
  link(src) {
    if (src[0] !== '[') return
    const token = super.link(src)
    return token && !token.title && SAYS.test(token.text) && target(token.href) ? token : undefined
  }

  /** @param {string} src @returns {any} */
  url(src) {
    const raw = addressAt(src)
    return raw && { type: 'text', raw, text: raw }
  }

  /** @param {string} src @returns {any} */
  br(src) {
    return src[0] === '\n' ? { type: 'br', raw: '\n' } : undefined
  }

  /** @param {string} src @param {string} masked @param {string} [before] @returns {any} */
  emStrong(src, masked, before = '') {
    if (src[0] === '_' && !/^_+[\p{L}\p{N}\p{So}*~`"'“‘([@#]/u.test(src)) return
    const token = super.emStrong(src, masked, before) ?? this.#inSentence(src, masked, before)
    return token && SAYS.test(token.text) ? token : undefined
  }

  /**
   * CommonMark wants a space or a sign around marks that stand beside a sign, and Korean has none: **"점심"**은.
   * @param {string} src
   * @param {string} masked
   * @param {string} before
   */
  #inSentence(src, masked, before) {
    const rest = masked.slice(masked.length - src.length)
    const star = /^(\*\*?)(?![\s*])([^*]*[^\s*])\1(?!\*)/
    const line = /^(__?)(?![\s_])([^_]*[^\s_])\1(?![A-Za-z0-9_])/
    if (src[0] === '_' && WORD_AT_END.test(before)) return
    const found = rest.match(src[0] === '*' ? star : line)
    if (!found || !(CJK.test(before) || CJK.test(rest.charAt(found[0].length)))) return
    return this.#pair(found[1].length === 2 ? 'strong' : 'em', src.slice(0, found[0].length), found[1].length)
  }

  /**
   * Two signs on each side; one alone stands between numbers: 1~2시, 3~4시.
   * @param {string} src @param {string} masked @returns {any}
   */
  del(src, masked) {
    const found = masked.slice(masked.length - src.length).match(/^~~(?![\s~])((?:[^~]|~(?!~))*?[^\s~])~~(?!~)/)
    return found ? this.#pair('del', src.slice(0, found[0].length), 2) : undefined
  }

  /** @param {string} src @returns {any} */
  inlineText(src) {
    const raw = /** @type {string[]} */ (src.match(TEXT))[0]
    return { type: 'text', raw, text: raw }
  }

  /** @param {string} type @param {string} raw @param {number} width of the mark */
  #pair(type, raw, width) {
    const text = raw.slice(width, -width)
    return { type, raw, text, tokens: this.lexer.inlineTokens(text) }
  }
}

/** Up to where something else may begin; an image's `![` is text, and so is all of it. */
const TEXT = /^(?:([*_~`])\1*|!\[|[\s\S])(?:(?!https?:\/\/|mailto:|www\.|!\[)[^\\*_~`[\n])*/i

const lexer = new Lexer({ gfm: true, tokenizer: new Subset() })
