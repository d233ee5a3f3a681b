// A language model: the decoder alone, put together from its layers. Without a source there is no encoder-decoder
// attention; what makes it a decoder is that a position looks back, and never ahead.

import { embed, lengthened, lookBack, matrix, nothingRead, requireComputed, stack, teller } from "./layers.mjs"

const LANGUAGE_MODEL = {
  activation: "relu", positions: "sinusoidal", tied: true, pre_norm: false, final_norm: false, output_bias: false,
  embedding_scale: false,
}

/** A decoder-only model with the weights of a file, as `readModel` returns it; `observe` as of `Transformer`. */
export class LanguageModel {
  observe = null

  /** Throws an Error that names what the model asks for and the page does not compute. */
  constructor(file) {
    requireComputed(file, "generation", LANGUAGE_MODEL)
    const { config, tensors } = file
    this.config = config
    const { row, apply } = matrix(tensors, "model.embedding.table") // tied: one matrix for both ends
    this.tell = teller(this)
    this.table = row
    this.output = vectors => this.tell("output", apply(vectors))
    this.decoder = stack(tensors, "decoder", config.layers, ["self_attention"], config, this.tell)
  }

  /** What it has read at first. */
  nothing() {
    return nothingRead(this.decoder)
  }

  /**
   * Read one more token after each of several prefixes, `nothing()` or what this method has returned, which stay as they are.
   *
   * Returns for each {prefix, logits, attention}: the longer prefix, the logits of the token that follows, and per layer the
   * weights of all heads over the prefix, one head after the other.
   */
  read(prefixes, tokens) {
    const longer = lengthened(prefixes)
    const places = prefixes.map(({ length }) => length)
    let x = this.tell("positions", embed(this.table, tokens, places, this.config.d_model))
    const weights = this.decoder.map((layer, depth) => {
      const self = lookBack(layer, depth, prefixes, longer, x)
      x = layer.feed_forward_add_norm(self.x, layer.feed_forward(self.x))
      return self.weights
    })
    const logits = this.output(x)
    return longer.map((prefix, index) => ({
      prefix,
      logits: logits[index],
      attention: weights.map(each => each[index]),
    }))
  }
}
