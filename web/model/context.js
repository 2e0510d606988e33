import { createContext } from 'preact'
import { useContext } from 'preact/hooks'

export const ChatContext = createContext(/** @type {import('./chat.js').Chat} */ (/** @type {unknown} */ (null)))

/** The chat that the page is about. */
export const useChat = () => useContext(ChatContext)
