// A classifier: the encoder alone, read off at its first token, [CLS], put together from its layers.

import { byHead, embed, matrix, requireComputed, stack, teller, throughAll } from "./layers.mjs"

const CLASSIFIER = {
  activation: "relu", positions: "sinusoidal", pre_norm: false, final_norm: false, embedding_scale: false,
  embedding_norm: false,
}

/** An encoder with a linear head, with the weights of a file, as `readModel` returns it; `observe` as of `Transformer`. */
export class Classifier {
  observe = null

  /** Throws an Error that names what the model asks for and the page does not compute. */
  constructor(file) {
    requireComputed(file, "classification", CLASSIFIER)
    const { config, tensors } = file
    this.config = config
    this.tell = teller(this)
    this.table = matrix(tensors, "model.embedding.table").row
    this.encoder = stack(tensors, "encoder", config.layers, ["self_attention"], config, this.tell)
    const { apply } = matrix(tensors, "model.output")
    this.output = vectors => this.tell("output", apply(vectors))
  }

  /**
   * Read a sequence, ids that begin with [CLS].
   *
   * Returns {logits, attention}: the logits of the classes, and weights [layer][head][row][column], of which the first row
   * is [CLS]'s.
   */
  read(ids) {
    const { d_model: width, heads, pooling } = this.config
    const x = this.tell("positions", embed(this.table, ids, ids.map((_, position) => position), width))
    const { outputs, attention } = throughAll(this.encoder, x)
    const [logits] = this.output([pooling === "mean" ? meanOf(outputs) : outputs[0]])
    return { logits, attention: attention.map(rows => byHead(rows, heads)) }
  }
}

function meanOf(vectors) {
  return vectors[0].map((_, feature) => vectors.reduce((sum, vector) => sum + vector[feature], 0) / vectors.length)
}
