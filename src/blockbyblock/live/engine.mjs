// The way from a page to the worker that translates for it (translation.mjs), with a model in it.

// In a notebook a module is a blob, whose address is taken back once it has been read; until then its text is asked for.
const ownText = globalThis.document && import.meta.url.startsWith("blob:") ? fetch(import.meta.url) : null

/**
 * Start this very module once more as a worker, and let it load the model of a figure.
 *
 * `tell` holds a function for each kind of answer that the worker gives. Returns {load, translate, inside, stop}:
 * `translate(text, kept, typed)` and `inside(text)` may be called once `tell.ready` has been; only the newest call is
 * answered.
 */
export function engine(model, tell) {
  let worker
  let job = 0
  const load = async () => {
    const address = ownText ? URL.createObjectURL(await (await ownText).clone().blob()) : import.meta.url
    worker?.terminate() // one that has failed
    worker = new Worker(address, { type: "module" })
    worker.onmessage = ({ data }) => (data.job ?? job) === job && tell[data.kind](data)
    worker.onerror = ({ message }) => tell.failed({ message: message ?? "This browser runs no module in a worker." })
    // Only in a notebook, with Python behind it, has a model `send`.
    const from = model.send ? { buffer: await bytesFromPython(model) } : { address: addressOf(model) }
    worker.postMessage({ act: "load", ...from })
  }
  return {
    load: () => load().catch(tell.failed),
    translate: (text, kept, typed) => worker.postMessage({ act: "translate", job: ++job, text, kept, typed }),
    inside: text => worker.postMessage({ act: "inside", job: ++job, text }),
    stop: () => worker?.terminate(),
  }
}

/** Where a page of the book finds the model: beside this module. What stands under a digest never changes. */
function addressOf(model) {
  return new URL(`../models/${model.get("model")}.safetensors?v=${model.get("digest")}`, import.meta.url).href
}

/** The bytes of the model, which Python sends when it is asked. */
function bytesFromPython(model) {
  return new Promise(resolve => {
    const receive = (content, [view]) => {
      model.off("msg:custom", receive)
      resolve(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength))
    }
    model.on("msg:custom", receive)
    model.send({ ask: "model" })
  })
}
