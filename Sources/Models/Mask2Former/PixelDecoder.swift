import Layers
import Tensors

/// Mask2Former's pixel decoder: deformable attention over the three coarsest resolutions, and the finer ones
/// added to its result.
struct PixelDecoder {
  let config: Mask2FormerConfig
  let projections: [NormedMap]
  let levelEmbedding: Tensor
  let layers: [DeformableLayer]
  let laterals: [(lateral: NormedMap, output: NormedMap)]
  let maskProjection: Convolution2D

  /// A convolution and a norm of its groups of features.
  struct NormedMap {
    let convolution: Convolution
    let norm: GroupNorm

    init(_ scope: Scope, _ input: Int, _ output: Int, kernel: Int = 1, bias: Bool) {
      convolution = Convolution(
        scope / 0, input, output, kernel: [kernel, kernel],
        padding: [.both(kernel / 2), .both(kernel / 2)], bias: bias)
      norm = GroupNorm(scope / 1, groups: Mask2FormerConfig.groups, channels: output)
    }

    func callAsFunction(_ x: Tensor) -> Tensor { norm(convolution(x)) }
  }

  init(_ scope: Scope, _ config: Mask2FormerConfig) {
    self.config = config
    let (inputs, width) = (config.backbone.widths, config.featureWidth)
    projections = inputs.suffix(Mask2FormerConfig.levels).reversed().enumerated().map {
      NormedMap(scope / "input_projections" / $0, $1, width, bias: true)
    }
    levelEmbedding = scope.weight(
      "level_embed", [Mask2FormerConfig.levels, width], .normal(1), axes: [nil, .embed])
    layers = (0..<config.pixelDepth).map {
      DeformableLayer(scope / "encoder" / "layers" / $0, config)
    }
    laterals = config.fineStages.map { stage in
      (
        NormedMap(scope / "adapter_\(stage + 1)", inputs[stage], width, bias: false),
        NormedMap(scope / "layer_\(stage + 1)", width, width, kernel: 3, bias: false)
      )
    }
    maskProjection = Convolution2D(scope / "mask_projection", width, config.maskWidth, kernel: 1)
  }

  /// The features of the backbone's stages to those of three levels, the coarsest first, and to those that
  /// masks are made of; all are `[batch, height, width, features]`.
  func callAsFunction(_ features: [Tensor]) -> (levels: [Tensor], masks: Tensor) {
    let inputs = zip(projections, features.reversed()).map { $0($1) }
    let sizes = inputs.map { (height: $0.shape[1], width: $0.shape[2]) }
    let (batch, width) = (inputs[0].shape[0], config.featureWidth)
    let flat = inputs.map { $0.reshape([batch, -1, width]) }
    let positions = sizes.enumerated().map { level, size in
      Tensor.imagePositions(height: size.height, width: size.width, features: width)
        + levelEmbedding[level].wide
    }
    let places = Tensor.concatenate(positions, axis: 1).cast(to: flat[0].dtype)
    let state = layers.reduce(Tensor.concatenate(flat, axis: 1)) { $1($0, places, sizes) }
    let parts = state.split(sizes: sizes.map { $0.height * $0.width }, axis: 1)
    var levels = zip(parts, sizes).map { $0.reshape([batch, $1.height, $1.width, width]) }
    for (stage, maps) in zip(config.fineStages, laterals).reversed() {
      let own = maps.lateral(features[stage])
      let coarser = levels.last!.bilinearResized(height: own.shape[1], width: own.shape[2])
      levels.append(maps.output(own + coarser).relu())
    }
    return (
      Array(levels.prefix(Mask2FormerConfig.levels)), maskProjection(levels.last!)
    )
  }
}

/// One layer of the pixel decoder: deformable attention, then an MLP, each followed by a norm.
struct DeformableLayer {
  let attention: DeformableAttention
  let attentionNorm: LayerNorm
  let mlp: MLP
  let mlpNorm: LayerNorm

  init(_ scope: Scope, _ config: Mask2FormerConfig) {
    let (width, hidden) = (config.featureWidth, config.pixelHidden)
    attention = DeformableAttention(scope / "self_attn", width: width, heads: config.heads)
    attentionNorm = LayerNorm(scope / "self_attn_layer_norm", width, epsilon: 1e-5)
    mlp = MLP(
      scope.linear("fc1", width, hidden, from: .embed, to: .hidden),
      scope.linear("fc2", hidden, width, from: .hidden, to: .embed)
    ) { $0.relu() }
    mlpNorm = LayerNorm(scope / "final_layer_norm", width, epsilon: 1e-5)
  }

  /// `[batch, pixels, features]` of all levels to the same shape.
  ///
  /// - Parameter positions: `[1, pixels, features]`, added for the queries.
  func callAsFunction(
    _ x: Tensor, _ positions: Tensor, _ levels: [(height: Int, width: Int)]
  ) -> Tensor {
    let h = attentionNorm(x + attention(x + positions, values: x, levels))
    return mlpNorm(h + mlp(h))
  }
}

/// Attention of each pixel of a pyramid to a few places around its own at every level, which the pixel itself
/// says: Zhu and others, "Deformable DETR", 2021.
struct DeformableAttention {
  let offsets, weights, values, output: LinearMap
  let heads: Int

  init(_ scope: Scope, width: Int, heads: Int) {
    let places = heads * Mask2FormerConfig.levels * Mask2FormerConfig.points
    offsets = scope.linear("sampling_offsets", width, 2 * places, from: .embed)
    weights = scope.linear("attention_weights", width, places, from: .embed)
    values = scope.linear("value_proj", width, width, from: .embed, to: .heads)
    output = scope.linear("output_proj", width, width, from: .heads, to: .embed)
    self.heads = heads
  }

  /// `[batch, pixels, features]` to the same shape.
  func callAsFunction(
    _ queries: Tensor, values inputs: Tensor, _ levels: [(height: Int, width: Int)]
  ) -> Tensor {
    let (batch, pixels) = (queries.shape[0], queries.shape[1])
    let places = [batch, pixels, heads, levels.count, Mask2FormerConfig.points]
    let moves = offsets(queries).wide.reshape(Shape(places + [2])).unstack(5)
    let shares = weights(queries).wide.reshape([batch, pixels, heads, -1]).softmax()
      .reshape(Shape(places))
    // A pixel's own place as a fraction of its level, which is the same in all levels.
    func fractions(_ own: (Int, (height: Int, width: Int)) -> Float) -> [Float] {
      levels.flatMap { level in (0..<level.height * level.width).map { own($0, level) } }
    }
    let fractionsX = fractions { (Float($0 % $1.width) + 0.5) / Float($1.width) }
    let fractionsY = fractions { (Float($0 / $1.width) + 0.5) / Float($1.height) }
    func place(_ fractions: [Float], _ sizes: [Int], _ move: Tensor) -> Tensor {
      let own = Tensor.constant(fractions, shape: [pixels, 1, 1, 1])
      let size = Tensor.constant(sizes.map { Float($0) }, shape: [sizes.count, 1])
      return own * size + move - 0.5
    }
    let pyramid = FeaturePyramid(
      values(inputs).reshape([batch, pixels, heads, -1]), levels: levels)
    let mixed = pyramid.sampled(
      x: place(fractionsX, levels.map(\.width), moves[0]),
      y: place(fractionsY, levels.map(\.height), moves[1]),
      weights: shares.cast(to: inputs.dtype))
    return output(mixed.reshape(queries.shape))
  }
}
