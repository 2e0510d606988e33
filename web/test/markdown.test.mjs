import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { markdown, plain } from '../lib/markdown.js'
import { callable } from '../lib/names.js'

const PEOPLE = { u1: '민수', u2: 'Ann', u3: '김 철수', u4: '김' }
const names = callable(['u1', 'u2', 'u3', 'u4', '@room'], (user) => PEOPLE[user])

/** The tree in short: `b(…)` for a tag, and what an attribute says that isn't the same everywhere. */
const SHORT = { strong: 'b', em: 'i', del: 's', blockquote: 'q' }
function short(node) {
  if (typeof node === 'string') return node
  const { tag, props, children } = node
  if (tag === 'br') return '|'
  const says = props?.['data-lang'] ?? props?.value ?? props?.title ?? (tag === 'a' ? props.href : undefined)
  const name = tag === 'span' ? props.class.replace('mention ', '').replace('mention', 'at') : (SHORT[tag] ?? tag)
  return `${name}${says === undefined ? '' : `:${says}`}(${children.map(short).join('')})`
}
const tree = (text) => markdown(text, { names, me: 'u1' }).map(short).join('')
const inline = (text) => tree(text).match(/^p\(([^]*)\)$/)?.[1] ?? tree(text)

function table(read, cases) {
  for (const [text, expected] of cases) assert.equal(read(text), expected, text)
}

test('what is without marks is its lines, as typed', () =>
  table(tree, [
    ['안녕하세요', 'p(안녕하세요)'],
    ['하나\n둘', 'p(하나|둘)'],
    ['하나\r\n둘\r셋', 'p(하나|둘|셋)'],
    ['하나\n\n\n둘\n', 'p(하나)p(둘)'],
    ['  a   b  ', 'p(  a   b  )'],
    ['', ''],
    [' \n ', ''],
  ]))

test('bold, italic, strike and code', () =>
  table(inline, [
    ['**굵게** *기울게* ~~지움~~ `코드`', 'b(굵게) i(기울게) s(지움) code(코드)'],
    ['__굵게__ _기울게_', 'b(굵게) i(기울게)'],
    ['***둘 다***', 'i(b(둘 다))'],
    ['**하나\n둘**', 'b(하나|둘)'],
    ['``a`b``', 'code(a`b)'],
    ['\\*별\\*', '*별*'],
    ['snake_case_name 2 * 3 * 4 a ** b', 'snake_case_name 2 * 3 * 4 a ** b'],
    ['**열린', '**열린'],
    ['****', '****'],
    ['`열린 **굵게**', '`열린 b(굵게)'],
  ]))

test('marks may stand in the middle of a Korean sentence, beside signs too', () =>
  table(inline, [
    ['**중요**입니다', 'b(중요)입니다'],
    ['**"점심"**은 이것은**(a)**다', 'b("점심")은 이것은b((a))다'],
    ['**안녕(hello)**를', 'b(안녕(hello))를'],
    ['*“이것”*이라고', 'i(“이것”)이라고'],
    ['_한글_은', 'i(한글)은'],
    ['~~취소(x)~~됨', 's(취소(x))됨'],
  ]))

test('what looks like marks in a chat and is none', () =>
  table(tree, [
    ['1~2시, 3~4시', 'p(1~2시, 3~4시)'],
    ['~~1~2시~~', 'p(s(1~2시))'],
    ['*^^* 안녕 *^^*', 'p(*^^* 안녕 *^^*)'],
    ['-_- 그래 -_-', 'p(-_- 그래 -_-)'],
    ['>_< ㅋㅋ', 'p(>_< ㅋㅋ)'],
    ['ㅠ_ㅠ T_T', 'p(ㅠ_ㅠ T_T)'],
    ['2026. 11. 28. 회의', 'p(2026. 11. 28. 회의)'],
    ['11. 28. 회의', 'p(11. 28. 회의)'],
    ['-5도', 'p(-5도)'],
    ['# 제목\n===\n---', 'p(# 제목|===|---)'],
    ['| a |\n|---|\n| 1 |', 'p(| a |||---||| 1 |)'],
    ['    네 칸', 'p(    네 칸)'],
    ['[a]: https://a.kr', 'p([a]: a:https://a.kr/(https://a.kr))'],
  ]))

test('code keeps its lines and the name of its language', () =>
  table(tree, [
    ['```js\na\n\n  b\n```', 'pre:js(code(a\n\n  b))'],
    ['```\n**a** @민수 https://a.kr\n```\n끝', 'pre(code(**a** @민수 https://a.kr))p(끝)'],
    ['```\n열린', 'pre(code(열린))'],
    ['```\na```\n끝', 'pre(code(a))p(끝)'],
    ['~~~\n```\n~~~', 'pre(code(```))'],
    ['````\n```\n````', 'pre(code(```))'],
    ['```한 줄```', 'p(code(한 줄))'],
    ['앞\n```\na\n```', 'p(앞)pre(code(a))'],
  ]))

test('quotes and lists', () =>
  table(tree, [
    ['> 하나\n> 둘\n답', 'q(p(하나|둘))p(답)'],
    ['> > 속\n> 겉', 'q(q(p(속))p(겉))'],
    ['> ```\n> a\n> ```', 'q(pre(code(a)))'],
    ['- 하나\n- 둘\n그리고', 'ul(li(하나)li(둘))p(그리고)'],
    ['* 하나\n  - 속\n  이어서\n* 둘', 'ul(li(하나ul(li(속))p(이어서))li(둘))'],
    ['1. 하나\n3. **셋**', 'ol(li:1(하나)li:3(b(셋)))'],
    ['1) 하나', 'ol(li:1(하나))'],
    ['1. 하나\n- 둘', 'ol(li:1(하나))ul(li(둘))'],
    ['할 일\n- [ ] 하나', 'p(할 일)ul(li([ ] 하나))'],
  ]))

test('links have http, https and mailto, and say where they go', () =>
  table(inline, [
    ['[여기](https://a.kr/x) [메일](mailto:a@b.kr)', 'a:https://a.kr/x(여기) a:mailto:a@b.kr(메일)'],
    ['[**굵은** 글](https://a.kr)', 'a:https://a.kr/(b(굵은) 글)'],
    ['[https://a.kr](https://b.kr)', 'a:https://b.kr/(https://a.kr)'],
    ['[x](ftp://a.kr) [y](/z) [z]()', '[x](ftp://a.kr) [y](/z) [z]()'],
    ['![그림](https://a.kr/i.png)', '![그림](a:https://a.kr/i.png(https://a.kr/i.png))'],
    ['www.a.kr', 'a:https://www.a.kr/(www.a.kr)'],
  ]))

test('a bare address ends where the sentence goes on', () => {
  const links = (nodes) =>
    nodes.map((node) => (typeof node === 'string' ? node : node.tag === 'a' ? `<${node.children}>` : links(node.children))).join('')
  table((text) => links(markdown(text)), [
    ['https://a.kr/길에서 봐', '<https://a.kr/길에서> 봐'],
    ['https://a.kr에서', '<https://a.kr>에서'],
    ['https://a.kr/x에서는', '<https://a.kr/x>에서는'],
    ['https://a.kr/x입니다.', '<https://a.kr/x>입니다.'],
    ['https://a.kr/에', '<https://a.kr/>에'],
    ['https://a.kr/v1버전', '<https://a.kr/v1버전>'],
    ['https://ko.wikipedia.org/wiki/대한민국', '<https://ko.wikipedia.org/wiki/대한민국>'],
    ['(https://a.kr/x_(y)), https://a.kr!', '(<https://a.kr/x_(y)>), <https://a.kr>!'],
    ['"https://a.kr/a_b_c*d*"', '"<https://a.kr/a_b_c*d>*"'],
    ['**https://a.kr**', '<https://a.kr>'],
    ['xhttps://a.kr https:// http://', 'xhttps://a.kr https:// http://'],
    ['https://a.kr/?q=%EC%9E%A5&b=1#c', '<https://a.kr/?q=%EC%9E%A5&b=1#c>'],
  ])
})

test('calls are marked, by the longest name, also before a particle', () =>
  table(inline, [
    ['@민수야 밥 먹자', 'mine(@민수)야 밥 먹자'],
    ['@ann @Anna @ANN!', 'at(@ann) @Anna at(@ANN)!'],
    ['@김 철수님 @김', 'at(@김 철수)님 at(@김)'],
    ['a@민수 @ 민수 @아무개', 'a@민수 @ 민수 @아무개'],
    ['@room @here', 'mine(@room) @here'],
    ['**@민수** `@민수` [@민수](https://a.kr)', 'b(mine(@민수)) code(@민수) a:https://a.kr/(@민수)'],
    ['@민수@민수', 'mine(@민수)@민수'],
  ]))

test('one line says what a message says', () =>
  table(plain, [
    ['**굵게** [여기](https://a.kr)\n> 인용', '굵게 여기 인용'],
    ['```js\na\nb\n```', 'a b'],
    ['- a\n- b\n  - c', 'a b c'],
    ['1. a\n2. b', '1. a 2. b'],
  ]))

test('a summary ends between two characters', () => {
  assert.equal(plain('a😀😀', 3), 'a😀')
  assert.equal(plain('a😀😀', 4), 'a😀')
})

const TAGS = {
  p: [], br: [], strong: [], em: [], del: [], code: [], blockquote: [], ul: [], ol: [],
  pre: ['data-lang'], li: ['value'], a: ['href', 'rel', 'target', 'title'], span: ['class', 'data-user'],
}

/** Every node is one of the subset, and every address one that may be followed. */
function harmless(nodes) {
  for (const node of nodes) {
    if (typeof node === 'string') continue
    assert.ok(Object.hasOwn(TAGS, node.tag), node.tag)
    for (const name of Object.keys(node.props ?? {})) assert.ok(TAGS[node.tag].includes(name), `${node.tag} ${name}`)
    if (node.tag === 'a') {
      assert.match(node.props.href, /^(?:https?:\/\/[^/]|mailto:.)/)
      assert.equal(node.props.rel, 'noopener noreferrer')
    }
    harmless(node.children)
  }
}

const said = (nodes) =>
  nodes.map((node) => (typeof node === 'string' ? node : [node.props?.value, node.props?.['data-lang'], node.props?.href, said(node.children)].join(' '))).join(' ')
const letters = (text) => (text.match(/[\p{L}\p{N}]/gu) ?? []).sort().join('')

/** No letter of the text is missing: an address may say it in its `href`, a fence in the name of its language. */
function whole(text) {
  const nodes = markdown(text, { names })
  harmless(nodes)
  const shown = new Map()
  for (const letter of letters(said(nodes))) shown.set(letter, (shown.get(letter) ?? 0) + 1)
  for (const letter of letters(text)) {
    const left = shown.get(letter) ?? 0
    assert.ok(left > 0, `${letter} of ${JSON.stringify(text)}`)
    shown.set(letter, left - 1)
  }
}

test('hostile texts come out as text', () => {
  const corpus = JSON.parse(readFileSync(new URL('fixtures/xss.json', import.meta.url), 'utf8'))
  assert.ok(corpus.length > 60)
  for (const text of corpus) {
    harmless(markdown(text, { names }))
    harmless(markdown(`> - **${text}**`, { names }))
    plain(text)
  }
})

test('any text gives a tree that has all of it', () => {
  let seed = 1
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n
  const PARTS = [
    '*', '**', '_', '__', '~~', '~', '`', '```', '\n', '\n\n', ' ', '  ', '> ', '>', '- ', '1. ', '[', ']', '(', ')', '](', '!',
    '\\', '<', '>', '&amp;', '@', '@민수', '@room', 'https://a.kr/', 'www.', 'mailto:', ':', '.', '"', '한글', '가', 'a', 'b1',
    'é', '😀', '\ud83d', '\u0000', '\t', '\r\n', '|', '#', '---',
  ]
  for (let i = 0; i < 20_000; i++) {
    const text = Array.from({ length: 1 + random(20) }, () => PARTS[random(PARTS.length)]).join('')
    // An address is written otherwise in its href (%EA…); all else has to be there.
    if (/a\.kr|www|mailto/.test(text)) harmless(markdown(text, { names }))
    else whole(text)
    plain(text)
  }
})

test('a text made to take long takes no longer', () => {
  const PARTS = [
    '*', '_', '~', '`', '[', '![', '<', '\\', '!', '\n', ' ', ' \n', 'a', '@', '@a', '@김 ', '*a_', '*a**b', 'a_b', '**a** ',
    '~~a ', '`a``b', '[a](', '[a](b', '[a]()', '[[a]', '[`', '](', 'https://', 'https://a.kr/(', 'https://a.kr/한', 'www.',
    '> ', '>', '- ', '- a\n', '  - ', '1. ', '> - ', '```\n', '`\n`', '*a_b~c`d[e', '한*글*',
  ]
  const texts = PARTS.flatMap((part) => [part.repeat(8000).slice(0, 8000), ('*' + part.repeat(8000)).slice(0, 8000)])
  for (const mark of ['> ', '  ', '> - '])
    texts.push(Array.from({ length: 1000 }, (_, i) => `${mark.repeat(i)}- x`).join('\n').slice(0, 8000))
  const time = (text) => {
    const from = process.cpuUsage()
    markdown(text, { names })
    return process.cpuUsage(from).user / 1000 // ms of its own: others may be busy too
  }
  for (const text of texts) {
    const best = Math.min(...Array.from({ length: 5 }, () => time(text)))
    assert.ok(best < 20, `${best} ms for ${JSON.stringify(text.slice(0, 20))}`)
  }
})
