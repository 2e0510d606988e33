const ko = {
  lang: 'ko',
  log: '대화',
  empty: '아직 조용합니다. 먼저 인사를 건네 보세요.',
  field: '메시지',
  hint: '메시지를 입력하세요',
  send: '전송',
  newer: (n) => `↓ 새 메시지 ${n}`,
  count: (n) => `새 메시지 ${n}개`,
  missing: '이 브라우저에는 웹소켓이 없어 채팅할 수 없으니, 다른 브라우저로 열어 주세요.',
  refused: '채팅 서버에 아직 연결하지 못했으며, 계속 시도하고 있으니 잠시만 기다려 주세요.',
  lost: '연결이 끊겨 다시 연결하고 있으며, 그동안 쓰신 글은 연결되는 대로 보내 드립니다.',
}

const en = {
  lang: 'en',
  log: 'Conversation',
  empty: 'Quiet so far. Why not say hello?',
  field: 'Message',
  hint: 'Write a message',
  send: 'Send',
  newer: (n) => `↓ ${n} new`,
  count: (n) => `${n} new messages`,
  missing: 'This browser has no WebSocket and can’t chat here; please open the page in another one.',
  refused: 'The chat server can’t be reached yet; please wait a moment while we keep trying.',
  lost: 'The connection was lost; we are reconnecting and will send what you write meanwhile.',
}

/** The page's sentences in the reader's language. */
export function words(language) {
  return /^ko\b/i.test(language) ? ko : en
}
