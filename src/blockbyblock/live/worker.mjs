// What runs behind a figure with a model, in a worker, so that the page never waits for it.

import { readModel } from "./safetensors.mjs"

/**
 * Answer a page. Each of its messages is {act, ...}, and each answer {kind, ...}:
 *
 * - load {address, cache} or {buffer}: "progress" {received} while bytes come in, then "ready" {facts}.
 * - any other act {job, ...}: what it yields, with the job; then "done" {job}. A new job ends the old one.
 *
 * `open(file)` takes what `readModel` returns. It returns the acts by name, generators that take the message; they yield null
 * at steps of which there is nothing to tell. Its `facts`, if any, are told once.
 *
 * What fails is answered by "failed" {job, message}.
 */
export function serve(scope, open) {
  let acts
  let latest
  const say = (kind, values = {}) => scope.postMessage({ kind, ...values })
  const load = async ({ address, cache, buffer }) => {
    const bytes = buffer ?? (await download(address, cache, received => say("progress", { received })))
    acts = open(readModel(bytes))
    say("ready", { facts: acts.facts })
  }
  const work = async ({ act, job, ...values }) => {
    latest = job
    for (const step of acts[act](values)) {
      if (step) say(step.kind, { job, ...step })
      await pause()
      if (job !== latest) return
    }
    say("done", { job })
  }
  scope.onmessage = async ({ data }) => {
    try {
      await (data.act === "load" ? load(data) : work(data))
    } catch (error) {
      say("failed", { job: data.job, message: error?.message ?? String(error) })
    }
  }
}

/**
 * The bytes at an address; `report` is told how many have come.
 *
 * The browser keeps them in its HTTP cache, and with the mode "force-cache" takes them from there however old they are: the
 * address of a model holds a digest of its content, so what was kept is never out of date. Servers often allow a few
 * minutes only. What was cut short may be kept too: "reload" asks the server.
 */
async function download(address, cache, report) {
  const response = await fetch(address, { cache }).catch(() => {
    throw new Error("The model did not come: the server does not answer.")
  })
  if (!response.ok) throw new Error(`The model did not come: ${response.status} ${response.statusText}.`)
  const reader = response.body.getReader()
  const chunks = []
  let received = 0
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw new Error(`The model did not come whole: the connection ended after ${received} bytes.`)
    })
    if (done) return new Blob(chunks).arrayBuffer()
    chunks.push(value)
    received += value.length
    report(received)
  }
}

/** Let a message that has come in be answered first. */
function pause() {
  return new Promise(resolve => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(null)
  })
}
