/**
 * Makes `data/emoji.json` of emojibase's data: `node tools/emoji.mjs`. One list for each group, one line for each glyph,
 * as `lib/emoji.js` reads it: glyph|shortcodes|English name|Korean name|English words|Korean words; a country's flag has no
 * names here. Left out are what many systems have no glyph for, skin tones, and persons beside which there is one
 * without a gender.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const VERSION_MAX = 15 // of Unicode's emoji
const CODES_MAX = 3
const WORDS_MAX = { en: 4, ko: 12 }
const COMPONENTS = 2
const COUNTRY = /^\p{RI}{2}$/u

const here = new URL('..', import.meta.url)
const read = async (path) => JSON.parse(await readFile(new URL(`node_modules/emojibase-data/${path}.json`, here), 'utf8'))
const list = (value) => [value ?? []].flat()
const slug = (label) => label.replace(/[^a-z0-9]+/g, '_').replace(/^_|_$/g, '')
/** What is an emoji by itself needs no variation selector, and 👍 has to be the same reaction with everybody. */
const qualified = (glyph) => glyph.replace(/(\p{Emoji_Presentation})\ufe0f/gu, '$1')
const gendered = (glyph) => glyph.includes('\u200d') && /[\u2640\u2642\u{1F466}-\u{1F469}]/u.test(glyph)

/** What the file has to be; the test compares. */
export async function emoji() {
  const korean = new Map((await read('ko/data')).map((each) => [each.hexcode, each]))
  const shortcodes = [await read('en/shortcodes/github'), await read('en/shortcodes/emojibase')]
  const groups = []
  const all = (await read('en/data')).filter(({ group, version }) => group !== undefined && version <= VERSION_MAX)
  for (const { emoji: variant, hexcode, group, label, tags } of all.sort((a, b) => a.order - b.order)) {
    const glyph = qualified(variant)
    if (group === COMPONENTS || gendered(glyph)) continue
    const en = label.toLowerCase()
    const ko = korean.get(hexcode)
    const codes = [...new Set(shortcodes.flatMap((names) => list(names[hexcode])))]
    const own = codes.filter((code) => code !== slug(en)).slice(0, CODES_MAX)
    const said = [en, ...own].join(' ').split(/[^a-z0-9]+/)
    const fresh = list(tags).filter((tag) => !tag.includes(' ') && !said.some((word) => word.startsWith(tag)))
    const freshKo = list(ko.tags).filter((tag) => !tag.includes(' ') && !ko.label.replaceAll(' ', '').includes(tag))
    const words = [en, ko.label, fresh.slice(0, WORDS_MAX.en).join(' '), freshKo.slice(0, WORDS_MAX.ko).join(' ')]
    const line = COUNTRY.test(glyph) ? [glyph, own.find((code) => !/^flag/.test(code))] : [glyph, own.join(' '), ...words]
    ;(groups[group] ??= []).push(line.join('|').replace(/\|+$/, ''))
  }
  return `[\n${groups.filter(Boolean).map((lines) => `[\n${lines.map((line) => JSON.stringify(line)).join(',\n')}\n]`).join(',\n')}\n]\n`
}

/** Under which terms its source may be given away. */
export async function licence() {
  const { version } = await read('package')
  const text = await readFile(new URL('node_modules/emojibase-data/LICENSE', here), 'utf8')
  return `emojibase-data ${version}, of which emoji.json is made\n\n${text.trim()}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(new URL('data/emoji.json', here), await emoji())
  await writeFile(new URL('data/LICENSES.txt', here), await licence())
}
