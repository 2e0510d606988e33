/** The browser client's main paths: `DAMSO_BIN=path/to/damso node --test test/browser/app.mjs`; more in ../lib/page.mjs. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startDamso } from '../lib/damso.mjs'
import { arrives, closeBrowser, settled, texts, withChat } from '../lib/page.mjs'

let damso

before(async () => {
  damso = await startDamso({ lifted: true })
})

after(async () => {
  await closeBrowser()
  await damso?.stop()
})

test('two browsers talk', () =>
  withChat(damso.url, { name: '민수' }, (ko) =>
    withChat(damso.url, { name: 'Ada', locale: 'en-GB' }, async (en) => {
      assert.deepEqual([await ko.getAttribute('html', 'lang'), await en.getAttribute('html', 'lang')], ['ko', 'en'])
      await ko.say('안녕하세요')
      await arrives(en, '안녕하세요')
      await en.say('Hello there')
      await arrives(ko, 'Hello there')
      for (const page of [ko, en]) {
        await settled(page)
        assert.deepEqual(await texts(page), ['안녕하세요', 'Hello there'])
        assert.equal(await page.field.inputValue(), '')
      }
    }),
  ))
