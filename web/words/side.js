export default { ko: {}, en: {} }
