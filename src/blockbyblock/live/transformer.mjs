// The Transformer of the paper, the encoder-decoder, put together from its layers.

import { embed, lengthened, lookBack, matrix, nothingRead, requireComputed, stack, teller, throughAll } from "./layers.mjs"

const TRANSFORMER = {
  activation: "relu", positions: "sinusoidal", tying: "three-way", pre_norm: false, final_norm: false, output_bias: false,
}

/**
 * An encoder-decoder with the weights of a file, as `readModel` returns it. While `observe` is set, it is told of every
 * result (`teller` of layers.mjs).
 */
export class Transformer {
  observe = null

  /** Throws an Error that names what the model asks for and the page does not compute. */
  constructor({ task = "translation", config, tensors, ids }) {
    requireComputed({ task, config }, "translation", TRANSFORMER)
    this.config = config
    const { row, apply } = matrix(tensors, "model.target_embedding.table") // three-way tying: one matrix for all
    const tell = teller(this)
    this.table = ids ? id => row(ids.indexOf(id)) : row // a stored translation has some rows only, those of `ids`
    this.output = vectors => tell("output", apply(vectors))
    this.encoder = stack(tensors, "encoder", config.encoder_layers, ["self_attention"], config, tell)
    this.decoder = stack(tensors, "decoder", config.decoder_layers, ["self_attention", "cross_attention"], config, tell)
  }

  /** The embedded tokens of a side, "source" or "target", with their positions. */
  embed(side, ids, positions) {
    const embedded = embed(this.table, ids, positions, this.config.d_model)
    this.observe?.(`${side}_positions`, embedded)
    return embedded
  }

  /**
   * Read a source sentence, ids that end with <end>.
   *
   * Returns the memory: the keys and values that each decoder layer looks at, and `attention[layer][position]`, the
   * weights with which a position looks at all of them: those of the first head, then those of the second, and so on.
   */
  encode(ids) {
    const embedded = this.embed("source", ids, ids.map((_, position) => position))
    const { outputs, attention } = throughAll(this.encoder, embedded)
    return { length: ids.length, layers: this.decoder.map(layer => layer.cross_attention.project(outputs)), attention }
  }

  /** What the decoder has read at first: nothing, so no keys and values in any layer. */
  nothing() {
    return nothingRead(this.decoder)
  }

  /**
   * Read one more token after each of several prefixes.
   *
   * A prefix is `nothing()` or what this method has returned. It is left as it is, so that several may go on from one.
   * Returns for each {prefix, logits, self, cross}: the longer prefix, the logits of the token that follows, and per
   * layer the weights of all heads over the prefix and over the source.
   */
  read(memory, prefixes, tokens) {
    const longer = lengthened(prefixes)
    let x = this.embed("target", tokens, prefixes.map(({ length }) => length))
    const weights = this.decoder.map((layer, depth) => {
      const self = lookBack(layer, depth, prefixes, longer, x)
      x = self.x
      const cross = layer.cross_attention.attend(x, () => memory.layers[depth])
      x = layer.cross_attention_add_norm(x, cross.outputs)
      x = layer.feed_forward_add_norm(x, layer.feed_forward(x))
      return { self: self.weights, cross: cross.weights }
    })
    const logits = this.output(x)
    return longer.map((prefix, index) => ({
      prefix,
      logits: logits[index],
      self: weights.map(({ self }) => self[index]),
      cross: weights.map(({ cross }) => cross[index]),
    }))
  }
}
