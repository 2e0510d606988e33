import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'

const START = 20_000 // ms until the server has said where it listens

/** Starts a server of its own; `console` keeps its standard input as the operator's. */
export async function startDamso({ listen = '127.0.0.1:0', console = false, args = [] } = {}) {
  const command = ['serve', '--memory', '--listen', listen, ...(console ? [] : ['--no-console']), ...args]
  const child = spawn(process.env.DAMSO_BIN, command, { cwd: tmpdir(), stdio: [console ? 'pipe' : 'ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.on('data', (data) => (said += data))
  const url = await new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`the server ${why}; it said: ${said}`))
    const deadline = setTimeout(() => fail('did not say where it listens'), START)
    child.once('error', (error) => fail(error.message))
    child.once('exit', (code, signal) => fail(`ended with ${code ?? signal}`))
    createInterface(child.stdout).on('line', (line) => {
      said += `${line}\n`
      const found = /^damso listening on (http:\/\/\S+?)\/?$/.exec(line)
      if (!found) return
      clearTimeout(deadline)
      resolve(found[1])
    })
  })
  return {
    url,
    /** A line typed at the operator's console. */
    type: (line) => child.stdin.write(`${line}\n`),
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill(signal)
      const hard = setTimeout(() => child.kill('SIGKILL'), 5000)
      await ended
      clearTimeout(hard)
    },
  }
}
