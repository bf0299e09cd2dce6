import Flow
import Layers
import Tensors

/// The double-stream transformer of Stable Diffusion 3 and 3.5 (MM-DiT): Esser and others, "Scaling
/// rectified flow transformers for high-resolution image synthesis", 2024; diffusers'
/// `SD3Transformer2DModel`.
///
/// With a second time embedder the embedding of times and pooled text is `E₁(t) + E₂(tt)·(t − tt)`, as in
/// TwinFlow's `SD3Transformer2DModelWrapper`; for tt = t it is the ordinary network.
public struct SD3 {
  let config: SD3Config
  let positions: Tensor
  let patches: Convolution
  let signal: SD3Signal
  let targetSignal: SD3Signal?
  let textInput: LinearMap
  let blocks: [Stack<SD3Block>]
  let lastBlock: SD3Block
  let norm: LayerNorm
  let modulation: LinearMap
  let output: LinearMap
  /// The blocks that are left out, by their numbers, for guidance by skipped layers.
  var skipped: Set<Int> = []

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: SD3Config) {
    self.config = config
    let (width, table) = (config.width, config.positionTable)
    positions = (scope / "pos_embed").weight(
      "pos_embed", [1, table * table, width], .positions(base: config.sampleSize / config.patch),
      axes: [nil, nil, .embed])
    patches = Convolution(
      scope / "pos_embed" / "proj", config.channels, width,
      kernel: [config.patch, config.patch], strides: [config.patch, config.patch])
    signal = SD3Signal(scope / "time_text_embed", config)
    targetSignal = config.hasTargetTime ? SD3Signal(scope / Self.targetEmbedder, config) : nil
    textInput = scope.linear("context_embedder", config.textWidth, width, to: .embed)
    let stack = scope / "transformer_blocks"
    blocks = config.runs.map { run in
      Stack(
        stack, count: run.layers.count, first: run.layers.lowerBound, execution: config.execution
      ) { SD3Block($0, config, hasSecondAttention: run.hasSecondAttention, isLast: false) }
    }
    lastBlock = SD3Block(
      stack / (config.depth - 1), config,
      hasSecondAttention: config.dualLayers.contains(config.depth - 1), isLast: true)
    norm = LayerNorm(scope / "norm_out" / "norm", width, affine: false)
    modulation = (scope / "norm_out").linear(
      "linear", width, 2 * width, initial: .zeros, from: .embed, to: .hidden)
    output = scope.linear(
      "proj_out", width, config.patch * config.patch * config.channels, initial: .zeros,
      from: .embed)
  }

  static let targetEmbedder = "time_text_embed_2"

  /// Predicts the velocity of latents.
  ///
  /// - Parameters:
  ///   - x: latents `[batch, height, width, channels]`, whose patches fit into the table of positions.
  ///   - text: the text encoders' hidden states `[batch, text tokens, text width]`.
  ///   - validText: bools or integers `[batch, text tokens]`, 0 for padding; or integers `[batch]`, the
  ///     number of tokens before the padding; nil where there is none, as in the published pipeline.
  ///   - pooled: the features of the whole text, `[batch, pooled width]`.
  ///   - time: signed times `[batch]`.
  ///   - target: signed target times `[batch]`, ignored without the second time embedder.
  ///   - condition: the shift of the embedded text, where there is any.
  /// - Returns: the shape of the latents.
  public func callAsFunction(
    _ x: Tensor, text: Tensor, validText: Tensor? = nil, pooled: Tensor, time t: Tensor,
    target tt: Tensor, condition: Named<Tensor> = Named()
  ) -> Tensor {
    precondition(
      x.rank == 4 && x.shape[3] == config.channels,
      "the network takes latents of \(config.channels) channels, not \(x.type)")
    precondition(
      text.rank == 3 && text.shape[2] == config.textWidth && text.shape[0] == x.shape[0]
        && pooled.shape == [x.shape[0], config.pooledWidth],
      "the network takes text of \(config.textWidth) features and pooled text of "
        + "\(config.pooledWidth), not \(text.type) and \(pooled.type)")
    let (patch, dtype) = (config.patch, x.dtype)
    let grid = TokenGrid(height: x.shape[1] / patch, width: x.shape[2] / patch)
    var embedded = signal(t, pooled, condition)
    if let targetSignal {
      let gap = (t - tt).cast(to: .float32).expanded([1])
      embedded = embedded + targetSignal(tt, pooled, condition) * gap
    }
    let context = SD3Block.Context(
      signal: embedded.silu().cast(to: dtype),
      attention: AttentionOptions(mask: mask(validText, imageTokens: grid.count, text: text)))
    let tokens = patches(x).reshape([x.shape[0], grid.count, config.width])
    var image = tokens + positions(grid).cast(to: dtype)
    var words = textInput(text.cast(to: dtype)).shifted(by: condition)
    for (stack, run) in zip(blocks, config.runs) {
      for layers in run.layers.without(skipped) {
        let start = run.layers.lowerBound
        let states = stack(
          [image, words], layers: layers.lowerBound - start..<layers.upperBound - start
        ) { block, states in block(states[0], states[1], context) }
        (image, words) = (states[0], states[1])
      }
    }
    if !skipped.contains(config.depth - 1) { image = lastBlock(image, words, context)[0] }
    let m = modulation(context.signal).sharded(.batch).expanded([1]).split(2, axis: -1)
    return output(norm(image) * (1 + m[0]) + m[1])
      .imageOfTokens(
        height: x.shape[1], width: x.shape[2], patch: patch, order: .rowColumnChannel)
  }

  /// The positions of an image's tokens, `[1, tokens, width]`: the centre of the table.
  private func positions(_ grid: TokenGrid) -> Tensor {
    let side = config.positionTable
    precondition(
      grid.height <= side && grid.width <= side,
      "the network has positions for \(side) × \(side) tokens, not for \(grid.height) × "
        + "\(grid.width)")
    let (top, left) = ((side - grid.height) / 2, (side - grid.width) / 2)
    return positions.reshape([1, side, side, config.width])
      .slice(1, top..<top + grid.height).slice(2, left..<left + grid.width)
      .reshape([1, grid.count, config.width])
  }

  /// The mask of attention among the tokens of the image followed by those of text.
  private func mask(_ valid: Tensor?, imageTokens: Int, text: Tensor) -> AttentionMask {
    guard let valid else { return .none }
    let batch = text.shape[0]
    precondition(
      valid.shape == [batch] || valid.shape == [batch, text.shape[1]],
      "\(valid.type) does not say which tokens of \(text.type) are valid")
    if valid.rank == 1 { return .keys(valid.cast(to: .int32) + Double(imageTokens)) }
    let isValid = valid.dtype == .bool ? valid : valid.notEqual(valid.zerosLike)
    return .keys(.concatenate([.ones([batch, imageTokens], .bool), isValid], axis: 1))
  }
}

extension Range<Int> {
  /// The parts of a range that are left without some numbers.
  fileprivate func without(_ numbers: Set<Int>) -> [Range<Int>] {
    let ends = filter(numbers.contains) + [upperBound]
    let starts = [lowerBound] + ends.dropLast().map { $0 + 1 }
    return zip(starts, ends).map { $0..<$1 }.filter { !$0.isEmpty }
  }
}

extension SD3: VelocityModel {
  /// - Parameters:
  ///   - x: latents `[batch, height, width, channels]`.
  ///   - condition: `text` `[batch, text tokens, text width]`; `text_mask`, the valid text, where some
  ///     of it is padding; `pooled` `[batch, pooled width]`.
  public func callAsFunction(
    _ x: Tensor, time t: Tensor, target tt: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    guard let text = condition["text"], let pooled = condition["pooled"] else {
      preconditionFailure("the text or the pooled text is missing among \(condition.names)")
    }
    return self(
      x, text: text, validText: condition["text_mask"], pooled: pooled, time: t, target: tt,
      condition: condition)
  }
}

extension SD3: LayerSkippingModel {
  /// The same network without some of its blocks.
  public func skipping(_ layers: Set<Int>) -> SD3 {
    var network = self
    network.skipped = layers
    return network
  }
}

/// The embedding of a time and of the pooled text: diffusers' `CombinedTimestepTextProjEmbeddings`.
struct SD3Signal {
  private let time: TimestepEmbedder
  private let text: MLP

  init(_ scope: Scope, _ config: SD3Config) {
    let (width, maps) = (config.width, scope / "text_embedder")
    time = TimestepEmbedder(scope / "timestep_embedder", width: width)
    text = MLP(
      maps.linear("linear_1", config.pooledWidth, width, initial: .normal(0.02), to: .hidden),
      maps.linear("linear_2", width, width, initial: .normal(0.02), from: .hidden, to: .embed)
    ) { $0.silu() }
  }

  /// Times `[batch]` and pooled text `[batch, pooled width]` to `[batch, width]` in f32.
  func callAsFunction(_ t: Tensor, _ pooled: Tensor, _ condition: Named<Tensor>) -> Tensor {
    time(t.cast(to: .float32) * 1000)
      + text(pooled.cast(to: .float32)).shifted(by: condition)
  }
}
