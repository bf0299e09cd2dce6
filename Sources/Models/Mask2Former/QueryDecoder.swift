import Layers
import Tensors

/// Mask2Former's decoder of queries: each layer looks at one level of the pixel decoder's features, where the
/// mask that the query has so far is, then at the other queries.
struct QueryDecoder {
  let config: Mask2FormerConfig
  let positions: Tensor
  let features: Tensor
  let levelEmbedding: Tensor
  let projections: [Convolution2D]
  let layers: [QueryLayer]
  let norm: LayerNorm
  let masks: [LinearMap]

  init(_ scope: Scope, _ config: Mask2FormerConfig) {
    self.config = config
    let (width, levels) = (config.width, Mask2FormerConfig.levels)
    func table(_ name: String, _ count: Int) -> Tensor {
      (scope / name).weight("weight", [count, width], .normal(1), axes: [nil, .embed])
    }
    positions = table("queries_embedder", config.queries)
    features = table("queries_features", config.queries)
    levelEmbedding = table("level_embed", levels)
    projections =
      config.hasProjections
      ? (0..<levels).map {
        Convolution2D(scope / "input_projections" / $0, config.featureWidth, width, kernel: 1)
      } : []
    let decoder = scope / "decoder"
    layers = (0..<config.depth).map { QueryLayer(decoder / "layers" / $0, config) }
    norm = LayerNorm(decoder / "layernorm", width, epsilon: 1e-5)
    let embedder = decoder / "mask_predictor" / "mask_embedder"
    masks = [width, width, config.maskWidth].enumerated().map { number, output in
      (embedder / number).linear("0", width, output, from: .embed)
    }
  }

  /// Decodes all queries.
  ///
  /// - Parameters:
  ///   - levels: the pixel decoder's features `[batch, height, width, features]`, the coarsest first.
  ///   - maskFeatures: the features that masks are made of, `[batch, height, width, features]`.
  /// - Returns: the states of the queries before the first layer and after each, `[batch, queries,
  ///   features]`, normalized; and the logits of the last masks, `[batch, queries, height, width]`.
  func callAsFunction(
    _ levels: [Tensor], _ maskFeatures: Tensor
  ) -> (states: [Tensor], masks: Tensor) {
    let (batch, dtype, width) = (levels[0].shape[0], levels[0].dtype, config.width)
    let shape = Shape([batch, config.queries, width])
    let own = positions.cast(to: dtype).broadcast(to: shape)
    let inputs = levels.enumerated().map { number, level in
      let mapped = config.hasProjections ? projections[number](level) : level
      let values =
        mapped.reshape([batch, -1, width]) + levelEmbedding[number].cast(to: dtype)
      let places = Tensor.imagePositions(
        height: level.shape[1], width: level.shape[2], features: width)
      return (values: values, keys: values + places.cast(to: dtype))
    }
    var x = features.cast(to: dtype).broadcast(to: shape)
    var states = [norm(x)]
    var found = maskLogits(states[0], maskFeatures)
    for (number, layer) in layers.enumerated() {
      let level = number % levels.count
      let seen = seen(found, at: levels[level])
      x = layer(x, own, keys: inputs[level].keys, values: inputs[level].values, seen: seen)
      states.append(norm(x))
      found = maskLogits(states.last!, maskFeatures)
    }
    return (states, found)
  }

  /// The logits of masks, `[batch, queries, height, width]`, of normalized states.
  private func maskLogits(_ states: Tensor, _ maskFeatures: Tensor) -> Tensor {
    let hidden = masks.dropLast().reduce(states) { $1($0).relu() }
    let (height, width) = (maskFeatures.shape[1], maskFeatures.shape[2])
    let pixels = maskFeatures.reshape([states.shape[0], height * width, config.maskWidth])
    return masks.last!(hidden).dot(
      pixels, contracting: ([2], [2]), batch: ([0], [0]), result: states.wide.dtype
    ).reshape([states.shape[0], config.queries, height, width])
  }

  /// The pixels of a level that each query sees, `[batch, 1, queries, pixels]`: those of its mask, or all
  /// where it has none.
  private func seen(_ masks: Tensor, at level: Tensor) -> Tensor {
    let resized = masks.transpose([0, 2, 3, 1])
      .bilinearResized(height: level.shape[1], width: level.shape[2])
      .transpose([0, 3, 1, 2]).reshape([masks.shape[0], config.queries, -1])
    let inside = resized.sigmoid().greaterOrEqual(.constant(0.5, resized.dtype))
    let nowhere = (!inside.any([2])).expanded([2])
    return (inside | nowhere).expanded([1])
  }
}

/// One layer: masked attention to pixels, attention between queries, then an MLP.
struct QueryLayer {
  let pixelAttention: PositionedAttention
  let pixelNorm: LayerNorm
  let attention: PositionedAttention
  let attentionNorm: LayerNorm
  let mlp: MLP
  let mlpNorm: LayerNorm
  let normsFirst: Bool

  init(_ scope: Scope, _ config: Mask2FormerConfig) {
    let (width, hidden, activation) = (config.width, config.hidden, config.activation)
    func norm(_ name: String) -> LayerNorm { LayerNorm(scope / name, width, epsilon: 1e-5) }
    pixelAttention = PositionedAttention(scope / "cross_attn", width: width, heads: config.heads)
    pixelNorm = norm("cross_attn_layer_norm")
    attention = PositionedAttention(scope / "self_attn", width: width, heads: config.heads)
    attentionNorm = norm("self_attn_layer_norm")
    mlp = MLP(
      scope.linear("fc1", width, hidden, from: .embed, to: .hidden),
      scope.linear("fc2", hidden, width, from: .hidden, to: .embed)
    ) { activation($0) }
    mlpNorm = norm("final_layer_norm")
    normsFirst = config.normsFirst
  }

  /// The states of queries `[batch, queries, features]` to the same shape.
  ///
  /// - Parameters:
  ///   - positions: what is added to states where they are queries and keys.
  ///   - keys: the pixels as keys, `[batch, pixels, features]`.
  ///   - values: the pixels as values.
  ///   - seen: bools that broadcast to `[batch, heads, queries, pixels]`.
  func callAsFunction(
    _ x: Tensor, _ positions: Tensor, keys: Tensor, values: Tensor, seen: Tensor
  ) -> Tensor {
    let pixels = part(x, pixelNorm) {
      pixelAttention($0 + positions, keys: keys, values: values, mask: .full(seen))
    }
    let mixed = part(pixels, attentionNorm) {
      attention($0 + positions, keys: $0 + positions, values: $0)
    }
    return part(mixed, mlpNorm) { mlp($0) }
  }

  /// A part's output added to its input, with the norm before or after it.
  private func part(_ x: Tensor, _ norm: LayerNorm, _ body: (Tensor) -> Tensor) -> Tensor {
    normsFirst ? x + body(norm(x)) : norm(x + body(x))
  }
}

/// Attention whose queries and keys have positions added, unlike its values.
struct PositionedAttention {
  let queries, keys, values, output: LinearMap
  let heads: Int

  init(_ scope: Scope, width: Int, heads: Int) {
    func map(_ name: String) -> LinearMap {
      scope.linear(name, width, width, from: .embed, to: .heads)
    }
    (queries, keys, values) = (map("q_proj"), map("k_proj"), map("v_proj"))
    output = scope.linear("out_proj", width, width, from: .heads, to: .embed)
    self.heads = heads
  }

  /// `[batch, queries, features]` to the same shape.
  func callAsFunction(
    _ q: Tensor, keys k: Tensor, values v: Tensor, mask: AttentionMask = .none
  ) -> Tensor {
    func split(_ map: LinearMap, _ x: Tensor) -> Tensor {
      map(x).reshape([x.shape[0], x.shape[1], heads, -1])
    }
    return output(
      split(queries, q).attention(
        keys: split(keys, k), values: split(values, v), AttentionOptions(mask: mask)
      ).reshape(q.shape))
  }
}
