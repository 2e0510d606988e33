const ko = { log: '대화', deleted: '지운 메시지입니다.', edited: '고침', empty: '아직 조용해요. 먼저 인사를 건네 보세요.' }

/** @type {typeof ko} */
const en = { log: 'Conversation', deleted: 'This message was deleted.', edited: 'edited', empty: 'Quiet so far. Why not say hello?' }

export default { ko, en }
