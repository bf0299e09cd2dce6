import Layers
import Tensors

/// Swin transformer, whose attention is within windows that every other layer shifts: Liu and others, "Swin
/// transformer", 2021; `SwinBackbone` of transformers.
public struct Swin {
  let config: SwinConfig
  let patches: Convolution
  let patchNorm: LayerNorm
  let stages: [SwinStage]
  let norms: [LayerNorm]

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: SwinConfig) {
    self.config = config
    let embeddings = scope / "embeddings"
    patches = Convolution(
      embeddings / "patch_embeddings" / "projection", config.channels, config.width,
      kernel: [config.patch, config.patch], strides: [config.patch, config.patch])
    patchNorm = LayerNorm(embeddings / "norm", config.width, epsilon: 1e-5)
    let layers = scope / "encoder" / "layers"
    stages = config.depths.indices.map { SwinStage(layers / $0, config, stage: $0) }
    norms = config.widths.enumerated().map { stage, width in
      LayerNorm(scope / "hidden_states_norms" / "stage\(stage + 1)", width, epsilon: 1e-5)
    }
  }

  /// The features of each stage, `[batch, height / stride, width / stride, features]`, of images
  /// `[batch, height, width, channels]`; the sizes are rounded up.
  public func callAsFunction(_ images: Tensor) -> [Tensor] {
    let patch = config.patch
    let missing = [1, 2].map { (patch - images.shape[$0] % patch) % patch }
    var x = patchNorm(patches(images.pad([(0, 0), (0, missing[0]), (0, missing[1]), (0, 0)])))
    var features: [Tensor] = []
    for (stage, norm) in zip(stages, norms) {
      for block in stage.blocks { x = block(x) }
      features.append(norm(x))
      x = stage.merging?(x) ?? x
    }
    return features
  }
}

/// Layers of one resolution, and the map to the next one.
struct SwinStage {
  let blocks: [SwinBlock]
  let merging: SwinMerging?

  init(_ scope: Scope, _ config: SwinConfig, stage: Int) {
    let width = config.widths[stage]
    blocks = (0..<config.depths[stage]).map { number in
      SwinBlock(
        scope / "blocks" / number, config, width: width, heads: config.heads[stage],
        shift: number % 2 == 0 ? 0 : config.window / 2)
    }
    merging =
      stage + 1 < config.depths.count
      ? SwinMerging(scope / "downsample", width, joinsFeatures: config.mergesFeatures) : nil
  }
}

/// Squares of 2 × 2 tokens to one of twice the features.
struct SwinMerging {
  let norm: LayerNorm
  let map: LinearMap
  let joinsFeatures: Bool

  init(_ scope: Scope, _ width: Int, joinsFeatures: Bool) {
    norm = LayerNorm(scope / "norm", 4 * width, epsilon: 1e-5)
    map = scope.linear(
      "reduction", 4 * width, 2 * width, bias: false, from: .hidden, to: .embed)
    self.joinsFeatures = joinsFeatures
  }

  /// `[batch, height, width, features]` to half the height and width, rounded up.
  func callAsFunction(_ x: Tensor) -> Tensor {
    let padded = x.pad([(0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0)])
    func part(_ row: Int, _ column: Int) -> Tensor {
      padded.slice(1, row..<padded.shape[1], stride: 2)
        .slice(2, column..<padded.shape[2], stride: 2)
    }
    guard joinsFeatures else {
      let parts = [part(0, 0), part(1, 0), part(0, 1), part(1, 1)]
      return map(norm(.concatenate(parts, axis: -1)))
    }
    let joined = Tensor.stack([part(0, 0), part(0, 1), part(1, 0), part(1, 1)], axis: 4)
    let sizes = Array(joined.shape.sizes[..<3]) + [joined.shape[3] * 4]
    return map(norm(joined.reshape(sizes)))
  }
}

/// One layer: attention within windows, then an MLP, each on normalized tokens.
struct SwinBlock {
  let attentionNorm: LayerNorm
  let attention: SwinAttention
  let mlpNorm: LayerNorm
  let mlp: MLP
  let window: Int
  let shift: Int

  init(_ scope: Scope, _ config: SwinConfig, width: Int, heads: Int, shift: Int) {
    attentionNorm = LayerNorm(scope / "layernorm_before", width, epsilon: config.epsilon)
    attention = SwinAttention(
      scope / "attention", width: width, heads: heads, window: config.window,
      bias: config.hasBias)
    mlpNorm = LayerNorm(scope / "layernorm_after", width, epsilon: config.epsilon)
    let (hidden, activation) = (Int(config.ratio * Double(width)), config.activation)
    mlp = MLP(
      (scope / "intermediate").linear("dense", width, hidden, from: .embed, to: .hidden),
      (scope / "output").linear("dense", hidden, width, from: .hidden, to: .embed)
    ) { activation($0) }
    (window, self.shift) = (config.window, shift)
  }

  /// `[batch, height, width, features]` to the same shape.
  func callAsFunction(_ x: Tensor) -> Tensor {
    let h = x + attended(attentionNorm(x))
    return h + mlp(mlpNorm(h))
  }

  /// Attention within windows. What is added at the right and below to complete windows is seen like other
  /// tokens, as published; what a shift brings next to each other from two edges is not.
  private func attended(_ x: Tensor) -> Tensor {
    let (batch, height, width, features) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    let missing = [height, width].map { (window - $0 % window) % window }
    let padded = x.pad([(0, 0), (0, missing[0]), (0, missing[1]), (0, 0)])
    let (rows, columns) = (height + missing[0], width + missing[1])
    let shifted = padded.rolled(1, by: shift).rolled(2, by: shift)
    let windows = shifted.windows(window).reshape([-1, window * window, features])
    let mixed = attention(windows, seen: seen(batch, rows, columns))
    let whole = mixed.reshape(
      [batch, rows / window, columns / window, window, window, features]
    ).transpose([0, 1, 3, 2, 4, 5]).reshape([batch, rows, columns, features])
    return whole.rolled(1, by: rows - shift).rolled(2, by: columns - shift)
      .slice(1, 0..<height).slice(2, 0..<width)
  }

  /// Which tokens of a window see each other, bools `[batch · windows, 1, tokens, tokens]`: those of one
  /// region of the shifted image; nil where all do.
  private func seen(_ batch: Int, _ rows: Int, _ columns: Int) -> Tensor? {
    guard shift > 0 else { return nil }
    func regions(_ size: Int) -> [Int32] {
      (0..<size).map { $0 < size - window ? 0 : $0 < size - shift ? 1 : 2 }
    }
    let numbers =
      Tensor.constant(regions(rows), shape: [1, rows, 1, 1]) * 3
      + Tensor.constant(regions(columns), shape: [1, 1, columns, 1])
    let windows = numbers.windows(window).reshape([-1, window * window])
    let same = windows.expanded([1]).equal(windows.expanded([2])).expanded([1])
    return Tensor.concatenate([Tensor](repeating: same, count: batch))
  }
}

/// Attention with a learned bias for each distance of rows and columns.
struct SwinAttention {
  let queries, keys, values, output: LinearMap
  let table: Tensor
  let heads: Int
  let window: Int

  init(_ scope: Scope, width: Int, heads: Int, window: Int, bias: Bool) {
    let inner = scope / "self"
    func map(_ name: String) -> LinearMap {
      inner.linear(name, width, width, bias: bias, from: .embed, to: .heads)
    }
    (queries, keys, values) = (map("query"), map("key"), map("value"))
    output = (scope / "output").linear("dense", width, width, from: .heads, to: .embed)
    let span = 2 * window - 1
    table = inner.weight(
      "relative_position_bias_table", [span * span, heads], .normal(0.02), axes: [nil, .heads])
    (self.heads, self.window) = (heads, window)
  }

  /// `[windows, tokens, features]` to the same shape.
  func callAsFunction(_ x: Tensor, seen: Tensor?) -> Tensor {
    func split(_ map: LinearMap) -> Tensor {
      map(x).reshape([x.shape[0], x.shape[1], heads, -1])
    }
    let options = AttentionOptions(mask: seen.map { .full($0) } ?? .none, bias: bias(x.dtype))
    let mixed = split(queries).attention(keys: split(keys), values: split(values), options)
    return output(mixed.reshape(x.shape))
  }

  /// The bias of every pair of tokens, `[1, heads, tokens, tokens]`.
  private func bias(_ dtype: DType) -> Tensor {
    let (count, span) = (window * window, 2 * window - 1)
    let places = (0..<count).flatMap { query in
      (0..<count).map { key in
        let rows = query / window - key / window + window - 1
        return Int32(rows * span + query % window - key % window + window - 1)
      }
    }
    return table.take(.constant(places, shape: [count, count])).transpose([2, 0, 1])
      .expanded([0]).wide
  }
}

extension Tensor {
  /// The elements along an axis, those before a place moved behind the others.
  fileprivate func rolled(_ axis: Int, by places: Int) -> Tensor {
    let (size, places) = (shape[axis], places % shape[axis])
    guard places > 0 else { return self }
    return .concatenate(
      [slice(axis, places..<size), slice(axis, 0..<places)], axis: axis)
  }

  /// `[batch, height, width, features]` in squares, `[batch, rows, columns, side, side, features]`.
  fileprivate func windows(_ side: Int) -> Tensor {
    let sizes = [shape[0], shape[1] / side, side, shape[2] / side, side, shape[3]]
    return reshape(sizes).transpose([0, 1, 3, 2, 4, 5])
  }
}
