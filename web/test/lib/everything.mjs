/**
 * A room with all that a conversation can have, an empty one and a direct message, all of them Minsu's.
 * → their ids, and Minsu's key
 */
export async function everything(bots) {
  const [minsu, jiwon, ada] = bots
  const room = await minsu.room('점심 모임', { kind: 'private', members: [jiwon.user, ada.user] })
  await minsu.api('PATCH', `/rooms/${room}`, { topic: '화요일마다 12시 반, 1층에서 만나요' })
  const say = (who, text, reply) => who.say(text, { room, reply })
  const first = await say(minsu, '이번 주는 새로 생긴 국숫집에 가 볼까요? 걸어서 7분이에요.')
  await say(minsu, '예약은 제가 할게요.')
  const plan = await say(ada, 'Sounds good. **12:30** at the door, _please_ be ~~early~~ on time: https://example.com/menu\n\n- noodles\n- dumplings\n\n1. walk\n2. eat')
  await say(jiwon, '> 걸어서 7분\n\n`walk(7)` 이면 되죠?\n\n```js\nconst minutes = 7 // on foot\nwalk(minutes)\n```', first)
  const edited = await say(minsu, '12시에 만나요')
  await minsu.change(edited, 'edit', { text: '12시 반에 만나요 @Ada' }, room)
  const deleted = await say(jiwon, '저는 못 가요')
  await jiwon.change(deleted, 'delete', {}, room)
  await say(ada, 'A reply to what is gone', deleted)
  await say(jiwon, '@민수 저도 갈게요!')
  for (const [who, emoji] of [[ada, '👍'], [minsu, '👍'], [jiwon, '🎉'], [ada, '❤️']]) await who.react(plan, emoji, room)
  for (const m of [first, plan]) await minsu.api('PUT', `/rooms/${room}/messages/${m}/pin`)
  const { url } = await minsu.api('POST', `/rooms/${room}/hooks`, { name: '점심봇' })
  await fetch(url, { method: 'POST', body: '오늘의 메뉴: 칼국수' })
  await say(ada, Array.from({ length: 40 }, (_, line) => `line ${line + 1}`).join('\n'))
  const empty = await minsu.room('조용한 방')
  const direct = (await ada.api('POST', '/rooms', { kind: 'direct', members: [minsu.user] })).id
  await ada.say('Are you coming?', { room: direct })
  return { room, empty, direct, plan }
}
