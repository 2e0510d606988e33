const ko = { field: '메시지', hint: (/** @type {string} */ room) => `${room}에 메시지 쓰기`, send: '보내기' }

/** @type {typeof ko} */
const en = { field: 'Message', hint: (room) => `Message ${room}`, send: 'Send' }

export default { ko, en }
