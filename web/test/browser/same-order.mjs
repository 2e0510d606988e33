/** Two browsers, the plain page and the operator write at once, and all four have the same order: `DAMSO_BIN=… node --test test/browser/same-order.mjs`. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { withDamso } from '../lib/damso.mjs'
import { closeBrowser, faultless, openChat, texts, theBrowser, until, withChat } from '../lib/page.mjs'

const EACH = 60 // lines

after(closeBrowser)

test('all that four write at once stands in one order', () =>
  withDamso({ terminal: true, lifted: true }, (damso) =>
    withChat(damso.url, { name: '민수' }, (one) =>
      withChat(damso.url, { name: 'Ada', locale: 'en-GB' }, async (two) => {
        const plain = await (await theBrowser()).newPage()
        await plain.goto(`${damso.url}/plain`)
        await plain.evaluate(() => new Promise((done) => setTimeout(done, 500)))

        const lines = (who) => Array.from({ length: EACH }, (_, i) => `${who} ${i}`)
        const writes = (who, field) => field.evaluate(typeAll, lines(who))
        await Promise.all([
          writes('하나', one.field),
          writes('two', two.field),
          writes('plain', plain.locator('#msg')),
          (async () => {
            for (const line of lines('operator')) damso.type(line), await new Promise(setImmediate)
          })(),
        ])

        const shown = {
          one: () => texts(one),
          two: () => texts(two),
          plain: () => plain.locator('.line').allTextContents(),
          operator: async () => damso.said.flatMap((line) => / :: (.*)$/.exec(line)?.[1] ?? []),
        }
        const orders = {}
        for (const [who, read] of Object.entries(shown)) {
          const all = (who === 'operator' ? 3 : 4) * EACH // its own lines stand on a terminal as they were typed
          await until(async () => (orders[who] = await read()).length >= all, `${who} has ${all} lines`)
        }
        for (const who of ['two', 'plain']) assert.deepEqual(orders[who], orders.one, who)
        assert.deepEqual(orders.operator, orders.one.filter((line) => !line.startsWith('operator')))
        for (const who of ['하나', 'two', 'plain', 'operator']) {
          assert.deepEqual(orders.one.filter((line) => line.startsWith(`${who} `)), lines(who))
        }
        faultless(one)
      }),
    ),
  ))

/** Runs in the page: types each line and presses Enter, and lets the page breathe in between. */
async function typeAll(field, lines) {
  for (const line of lines) {
    field.focus()
    field.value = line
    field.dispatchEvent(new InputEvent('input', { bubbles: true }))
    field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', code: 'Enter', keyCode: 13, bubbles: true, cancelable: true }))
    field.dispatchEvent(new KeyboardEvent('keyup', { key: 'Enter', code: 'Enter', keyCode: 13, bubbles: true, cancelable: true }))
    await new Promise(requestAnimationFrame)
  }
}
