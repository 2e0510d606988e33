import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { HOST } from './host.mjs'

const START = 20_000 // ms until the server has said where it listens

const LIMITS = ['send_per_second', 'commands_per_second', 'guests_per_address']

/**
 * Starts a server of its own.
 *
 * listen    ADDRESS:PORT; to start one again where another was, give its `host`
 * data      a folder, as of `withFolder`; without one nothing is kept
 * console   keeps its standard input as the operator's
 * terminal  the same, and it is a terminal, on which the operator also sees what others say
 * lifted    whether nobody is held to a rate
 */
export async function startDamso({ listen = `${HOST}:0`, data, console = false, terminal = false, lifted = false, args = [], env } = {}) {
  const command = ['serve', ...(data ? ['--data', data] : ['--memory']), '--listen', listen, ...(console || terminal ? [] : ['--no-console'])]
  if (lifted) command.push(...LIMITS.flatMap((limit) => ['--set', `limits.${limit}=0`]))
  const [program, ...words] = [process.env.DAMSO_BIN, ...command, ...args]
  const inTerminal = ['-qfec', `stty -echo; exec ${[program, ...words].map((word) => `'${word}'`).join(' ')}`, '/dev/null']
  const child = spawn(...(terminal ? ['script', inTerminal] : [program, words]), {
    cwd: tmpdir(),
    env: { ...process.env, ...env },
    stdio: [console || terminal ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  })
  const said = []
  createInterface(child.stderr).on('line', (line) => said.push(line))
  const url = await new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`the server ${why}; it said: ${said.join('\n')}`))
    const deadline = setTimeout(() => fail('did not say where it listens'), START)
    child.once('error', (error) => fail(error.message))
    child.once('exit', (code, signal) => fail(`ended with ${code ?? signal}`))
    createInterface(child.stdout).on('line', (line) => {
      said.push(line)
      const found = /^damso listening on (http:\/\/\S+?)\/?$/.exec(line)
      if (!found) return
      clearTimeout(deadline)
      resolve(found[1])
    })
  })
  return {
    url,
    host: new URL(url).host,
    /** what it printed, line by line */
    said,
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

/** Runs with a server, and stops it. */
export async function withDamso(options, run) {
  const damso = await startDamso(options)
  try {
    return await run(damso)
  } finally {
    await damso.stop()
  }
}

/** Runs with a folder for a server's data, and removes it. */
export async function withFolder(run) {
  const folder = await mkdtemp(join(tmpdir(), 'damso-web-'))
  try {
    return await run(join(folder, 'data'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
