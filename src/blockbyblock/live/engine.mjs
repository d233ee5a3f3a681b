// The way from a page to the worker that computes for it (worker.mjs), with a model in it.

import { late, PATIENCE } from "./loading.mjs"

// In a notebook a module is a blob, whose address is taken back once it has been read; until then its text is asked for.
const ownText = globalThis.document && import.meta.url.startsWith("blob:") ? fetch(import.meta.url) : null
const TOO_OLD = "This browser runs no module in a worker: it is too old for the model."

/**
 * Start this very module once more as a worker, and let it load the model of a figure.
 *
 * `tell` holds a function for each kind of answer that the worker gives, and `stalled` for a model of which nothing comes:
 * it may come yet. Returns {load, ask, stop}: `ask(act, values)` may be called once `tell.ready` has been; only the newest
 * call is answered. `load` may be called again after `tell.failed` or `tell.stalled`.
 */
export function engine(model, tell) {
  let worker
  let waiting
  let job = 0
  let again = false // after a failure what the browser has kept is not trusted
  const failed = error => {
    clearTimeout(waiting)
    again = true
    tell.failed({ message: error?.message ?? String(error) })
  }
  const wait = () => {
    clearTimeout(waiting)
    waiting = setTimeout(() => tell.stalled({ message: `${late(model, "the model")} ${model.send ? "" : ASK_AGAIN}`.trim() }), PATIENCE)
  }
  const load = async () => {
    stop()
    wait()
    const address = ownText ? URL.createObjectURL(await (await ownText).clone().blob()) : import.meta.url
    const mine = (worker = new Worker(address, { type: "module" }))
    mine.onmessage = ({ data }) => {
      if (mine !== worker || (data.job ?? job) !== job) return
      if (data.kind === "progress") wait()
      else clearTimeout(waiting)
      if (data.kind === "failed") return failed(data)
      try {
        tell[data.kind]?.(data)
      } catch (error) {
        failed(error)
        throw error // to the console as well
      }
    }
    mine.onmessageerror = () => failed({ message: "What the worker has sent cannot be read." })
    mine.onerror = ({ message }) => failed({ message: runsModules() ? stopped(message) : TOO_OLD })
    // Only in a notebook, with Python behind it, has a model `send`.
    const from = model.send
      ? { buffer: await bytesFromPython(model) }
      : { address: addressOf(model), cache: again ? "reload" : "force-cache" }
    if (mine === worker) mine.postMessage({ act: "load", ...from })
  }
  const stop = () => {
    clearTimeout(waiting)
    worker?.terminate()
  }
  return {
    load: () => load().catch(failed),
    ask: (act, values) => worker.postMessage({ act, job: ++job, ...values }),
    stop,
  }
}

const ASK_AGAIN = "The button asks again."

function stopped(message) {
  return message ? `What computes has stopped: ${message}` : "What computes could not be loaded: the server does not answer."
}

/** Whether a worker may be a module: a browser that knows how asks for the type. */
function runsModules() {
  let asked = false
  const options = {
    get type() {
      asked = true
      return "classic"
    },
  }
  try {
    new Worker("data:text/javascript,", options).terminate()
  } catch {
    // a page may forbid workers from such an address; it has been asked by then
  }
  return asked
}

/** Where a page of the book finds the model: beside this module. What stands under a digest never changes. */
function addressOf(model) {
  return new URL(`../models/${model.get("model")}.safetensors?v=${model.get("digest")}`, import.meta.url).href
}

/** The bytes of the model, which Python sends when it is asked; or the reason why it cannot. */
function bytesFromPython(model) {
  return new Promise((resolve, reject) => {
    const receive = (content, buffers) => {
      if (content?.answer !== "model") return
      model.off("msg:custom", receive)
      const bytes = buffers?.[0]
      if (content.error) reject(new Error(content.error))
      // JupyterLab hands over a view of the bytes; others the bytes themselves.
      else if (ArrayBuffer.isView(bytes)) resolve(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
      else if (bytes instanceof ArrayBuffer) resolve(bytes)
      else reject(new Error("Python has answered without the model."))
    }
    model.on("msg:custom", receive)
    model.send({ ask: "model" })
  })
}
