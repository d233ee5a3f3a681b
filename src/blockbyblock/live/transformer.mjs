// The Transformer of the paper, as it computes once it is trained: one sentence, no padding, no dropout.
// A sequence is an array of vectors: one Float32Array of d_model numbers for each position.

const COMPUTED = {
  activation: "relu", positions: "sinusoidal", tying: "three-way", pre_norm: false, final_norm: false, output_bias: false,
}

/**
 * An encoder-decoder with the weights of a file, as `readModel` returns it.
 *
 * While `observe` is set, it is told of every result by the name that it has in the package: observe(name, vectors), a
 * vector for each position. Of an attention, "concat" are the heads' sums side by side and "weights" those of all heads,
 * one head after the other.
 */
export class Transformer {
  observe = null

  /** Throws an Error that names what the model asks for and the page does not compute. */
  constructor({ config, tensors, ids }) {
    for (const [name, value] of Object.entries(COMPUTED)) {
      const found = config[name] ?? false
      if (found !== value) throw new Error(`The page computes models with ${name}=${value}; this one has ${name}=${found}.`)
    }
    this.config = config
    const { row, apply } = matrix(tensors, "model.target_embedding.table") // three-way tying: one matrix for all
    const tell = (name, vectors) => {
      this.observe?.(name, vectors)
      return vectors
    }
    this.table = ids ? id => row(ids.indexOf(id)) : row // a stored translation has some rows only, those of `ids`
    this.output = vectors => tell("output", apply(vectors))
    const stack = (name, layers, attentions) =>
      Array.from({ length: layers }, (_, index) => layer(tensors, `${name}.layers.${index}`, attentions, config, tell))
    this.encoder = stack("encoder", config.encoder_layers, ["self_attention"])
    this.decoder = stack("decoder", config.decoder_layers, ["self_attention", "cross_attention"])
  }

  /** Each token's vector times √d_model, plus the sines and cosines of its position. `side`: "source" or "target". */
  embed(side, ids, positions) {
    const width = this.config.d_model
    const embedded = ids.map((id, index) => {
      const place = sinusoid(positions[index], width)
      return this.table(id).map((entry, feature) => entry * Math.sqrt(width) + place[feature])
    })
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
    let x = this.embed("source", ids, ids.map((_, position) => position))
    const attention = this.encoder.map(layer => {
      const all = layer.self_attention.project(x)
      const { outputs, weights } = layer.self_attention.attend(x, () => all)
      x = layer.self_attention_add_norm(x, outputs)
      x = layer.feed_forward_add_norm(x, layer.feed_forward(x))
      return weights
    })
    return { length: ids.length, layers: this.decoder.map(layer => layer.cross_attention.project(x)), attention }
  }

  /** What the decoder has read at first: nothing, so no keys and values in any layer. */
  nothing() {
    return { length: 0, layers: this.decoder.map(() => ({ keys: [], values: [] })) }
  }

  /**
   * Read one more token after each of several prefixes.
   *
   * A prefix is `nothing()` or what this method has returned. It is left as it is, so that several may go on from one.
   * Returns for each {prefix, logits, self, cross}: the longer prefix, the logits of the token that follows, and per
   * layer the weights of all heads over the prefix and over the source. A mask is not needed: no future is there yet.
   */
  read(memory, prefixes, tokens) {
    const longer = prefixes.map(({ length }) => ({ length: length + 1, layers: [] }))
    let x = this.embed("target", tokens, prefixes.map(({ length }) => length))
    const weights = this.decoder.map((layer, depth) => {
      const { keys, values } = layer.self_attention.project(x)
      longer.forEach(({ layers }, index) => {
        const old = prefixes[index].layers[depth]
        layers.push({ keys: [...old.keys, keys[index]], values: [...old.values, values[index]] })
      })
      const self = layer.self_attention.attend(x, index => longer[index].layers[depth])
      x = layer.self_attention_add_norm(x, self.outputs)
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

/** The vector of a position: a sine in each even feature, a cosine in each odd one. */
export function sinusoid(position, width) {
  return Float64Array.from({ length: width }, (_, feature) => {
    const angle = position * 10000 ** (-(feature - (feature % 2)) / width)
    return feature % 2 ? Math.cos(angle) : Math.sin(angle)
  })
}

/** The parts of one layer, by the package's names for them. What they compute is passed to `tell`. */
function layer(tensors, name, attentions, { heads, norm_eps: epsilon }, tell) {
  const parts = { feed_forward: feedForward(tensors, `${name}.feed_forward`, tell) }
  for (const kind of attentions) parts[kind] = attention(tensors, `${name}.${kind}`, heads, tell)
  for (const kind of [...attentions, "feed_forward"]) {
    parts[`${kind}_add_norm`] = addNorm(tensors, `${name}.${kind}_add_norm`, epsilon, tell)
  }
  return parts
}

/**
 * A linear layer: from each vector x to W x + b.
 *
 * A file that holds a translation in place of the model (trace.py) has what came out at each position, in the order in
 * which the positions are read.
 */
function linear(tensors, name, tell) {
  const stored = tensors[`model.${name}.outputs`]
  const apply = stored ? replay(stored) : matrix(tensors, `model.${name}`).apply
  return vectors => tell(name, apply(vectors))
}

function replay({ shape: [, width], numbers }) {
  let next = 0
  return vectors => vectors.map(() => numbers.subarray(next++ * width, next * width))
}

/**
 * A matrix of whole numbers with one scale per row, or of floats. `row(index)` is one of its rows; `apply(vectors)`
 * multiplies it by each vector and adds the bias, if there is one.
 *
 * A whole number is multiplied as it is and its row's scale comes in once, at the end. That takes a quarter of the memory
 * of the floats that it stands for, and no more time.
 */
function matrix(tensors, name) {
  const { shape: [height, width], numbers } = tensor(tensors, `${name}.weight`)
  const scales = tensors[`${name}.weight.scale`]?.numbers ?? new Float32Array(height).fill(1)
  const bias = tensors[`${name}.bias`]?.numbers ?? new Float32Array(height)
  const row = index => Float32Array.from(numbers.subarray(index * width, (index + 1) * width), n => n * scales[index])
  const apply = vectors => {
    const outputs = vectors.map(() => new Float32Array(height))
    vectors.forEach((vector, each) => {
      const output = outputs[each]
      for (let index = 0; index < height; index++) {
        output[index] = sumOfProducts(numbers, index * width, vector) * scales[index] + bias[index]
      }
    })
    return outputs
  }
  return { row, apply }
}

function tensor(tensors, name) {
  if (!tensors[name]) throw new Error(`The file does not hold ${name}.`)
  return tensors[name]
}

/** The sum of the products of a vector and as many numbers, those from `start` on. */
function sumOfProducts(numbers, start, vector) {
  const last = vector.length - 1
  let even = last % 2 ? 0 : numbers[start + last] * vector[last]
  let odd = 0 // two sums do not wait for each other: a third less time
  for (let index = 0; index < last; index += 2) {
    even += numbers[start + index] * vector[index]
    odd += numbers[start + index + 1] * vector[index + 1]
  }
  return even + odd
}

/** Multi-head attention, in two steps, so that a decoder may keep what it has projected. */
function attention(tensors, name, heads, tell) {
  const [query, key, value, output] = ["query", "key", "value", "output"].map(part =>
    linear(tensors, `${name}.${part}_projection`, tell),
  )
  return {
    project: x => ({ keys: key(x), values: value(x) }),
    attend: (x, seen) => {
      const looked = query(x).map((each, index) => lookAt(each, seen(index), heads))
      const weights = tell(`${name}.weights`, looked.map(({ weights }) => weights))
      return { outputs: output(tell(`${name}.concat`, looked.map(({ sum }) => sum))), weights }
    },
  }
}

/** softmax(q K / √d_k) V for one query, in every head: the weighted sums side by side, and the weights. */
function lookAt(query, { keys, values }, heads) {
  const keyWidth = query.length / heads
  const valueWidth = values[0].length / heads
  const weights = new Float32Array(heads * keys.length)
  const sum = new Float32Array(values[0].length)
  for (let head = 0; head < heads; head++) {
    const mine = weights.subarray(head * keys.length, (head + 1) * keys.length)
    const part = query.subarray(head * keyWidth, (head + 1) * keyWidth)
    for (let index = 0; index < keys.length; index++) {
      mine[index] = sumOfProducts(keys[index], head * keyWidth, part) / Math.sqrt(keyWidth)
    }
    const largest = mine.reduce((most, score) => Math.max(most, score)) // so that no exponential overflows
    let total = 0
    for (let index = 0; index < mine.length; index++) total += mine[index] = Math.exp(mine[index] - largest)
    for (let index = 0; index < mine.length; index++) {
      mine[index] /= total
      for (let entry = head * valueWidth; entry < (head + 1) * valueWidth; entry++) {
        sum[entry] += mine[index] * values[index][entry]
      }
    }
  }
  return { sum, weights }
}

/** max(0, x W1 + b1) W2 + b2 at each position. */
function feedForward(tensors, name, tell) {
  const [widen, narrow] = ["hidden", "output"].map(part => linear(tensors, `${name}.${part}_projection`, tell))
  return x => narrow(widen(x).map(hidden => hidden.map(entry => Math.max(0, entry))))
}

/** LayerNorm(x + sublayer(x)) at each position. */
function addNorm(tensors, name, epsilon, tell) {
  const [gain, bias] = ["weight", "bias"].map(part => tensor(tensors, `model.${name}.norm.${part}`).numbers)
  const apply = (x, sublayer) =>
    x.map((vector, position) => {
      const sums = vector.map((entry, index) => entry + sublayer[position][index])
      const mean = sums.reduce((total, entry) => total + entry, 0) / sums.length
      const variance = sums.reduce((total, entry) => total + (entry - mean) ** 2, 0) / sums.length
      const deviation = Math.sqrt(variance + epsilon)
      return sums.map((entry, index) => ((entry - mean) / deviation) * gain[index] + bias[index])
    })
  return (x, sublayer) => tell(name, apply(x, sublayer))
}
