import Flow
import Layers
import Tensors

/// A text-conditional diffusion transformer in pixels or latents, after Peebles and Xie, "Scalable
/// diffusion models with transformers", 2023.
///
/// Image tokens attend to each other and to the tokens of the text, and the mean of the text is added to
/// the time's features `E₁(t) + E₂(tt)·(t − tt)`, which modulate the blocks. Times are signed: a negative
/// one stands for the twin trajectory. For tt = t, and without the second embedder, it is the ordinary
/// network.
public struct TextDiT {
  let config: TextDiTConfig
  let stem: TextDiTStem?
  let imageInput: LinearMap
  let textNorm: LayerNorm
  let text: MLP
  let pooledText: MLP
  let time: TimestepEmbedder
  let target: TimestepEmbedder?
  let blocks: Stack<TextDiTBlock>
  let norm: LayerNorm
  let head: TextDiTHead
  let twinHead: TextDiTHead?

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: TextDiTConfig) {
    self.config = config
    let width = config.width
    stem = config.stem > 0 ? TextDiTStem(scope / "stem", config) : nil
    imageInput = scope.linear("image_input", config.patchFeatures, width, to: .embed)
    textNorm = LayerNorm(scope / "text_norm", config.textWidth, affine: false)
    let embedder = { (name: String) in
      MLP(scope / name, config.textWidth, hidden: width, width) { $0.silu() }
    }
    (text, pooledText) = (embedder("text"), embedder("pooled_text"))
    time = TimestepEmbedder(scope / "time_embed", width: width, scale: 1000)
    target =
      config.hasTargetTime
      ? TimestepEmbedder(scope / "time_embed_2", width: width, scale: 1000) : nil
    blocks = Stack(scope / "blocks", count: config.depth, execution: config.execution) {
      TextDiTBlock($0, config)
    }
    norm = LayerNorm(scope / "norm", width, affine: false)
    head = TextDiTHead(scope, config, stem: stem?.end)
    let twin = scope / TwinHead.name
    twinHead =
      config.hasTwinHead
      ? TextDiTHead(
        twin, config, stem: config.stem > 0 ? TextDiTStemEnd(twin / "stem", config) : nil) : nil
  }

  /// The rotary embedding of the tokens of an image: half of a head's features is turned by the row,
  /// half by the column.
  private func rotary(rows: Int, columns: Int) -> Rotary {
    let angles = (0..<2).map { axis in
      Tensor.iota([rows, columns], axis: axis, .float32).reshape([rows * columns])
        .rotaryAngles(width: config.headWidth / 2, base: 100)
    }
    return Rotary(angles: .concatenate(angles, axis: -1), layout: .halfSplit)
  }

  /// The number of tokens of each text, s32 `[batch]`.
  ///
  /// - Parameter mask: that number, or bools or whole numbers `[batch, tokens]`, 0 for the padding behind
  ///   the text; nil for texts without padding.
  private func counts(_ mask: Tensor?, text: Tensor) -> Tensor {
    let (batch, length) = (text.shape[0], text.shape[1])
    guard let mask else { return .ones([batch], .int32) * Double(length) }
    precondition(
      mask.shape == [batch] || mask.shape == [batch, length],
      "\(mask.type) does not say which tokens of \(text.type) are valid")
    let whole = mask.cast(to: .int32)
    return whole.rank == 1 ? whole : whole.minimum(whole.zerosLike + 1).sum([1])
  }
}

extension TextDiT: VelocityModel {
  /// - Parameters:
  ///   - x: images or latents `[batch, height, width, channels]`.
  ///   - condition: `text` `[batch, text tokens, text width]`; `text_mask`, the valid text, where some
  ///     of it is padding.
  public func callAsFunction(
    _ x: Tensor, time t: Tensor, target tt: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    evaluated(x, t, tt, condition, after: []).output
  }

  /// The velocity, and the image tokens after chosen layers.
  private func evaluated(
    _ x: Tensor, _ t: Tensor, _ tt: Tensor, _ condition: Named<Tensor>, after layers: [Int]
  ) -> (output: Tensor, features: [Tensor]) {
    let (patch, dtype) = (config.patch, x.dtype)
    precondition(
      x.rank == 4 && x.shape[1] % patch == 0 && x.shape[2] % patch == 0
        && x.shape[3] == config.channels,
      "the network takes images of patches of \(patch)² × \(config.channels), not \(x.type)")
    guard let given = condition["text"] else { preconditionFailure("the text is missing") }
    precondition(
      given.rank == 3 && given.shape[2] == config.textWidth && given.shape[0] == x.shape[0],
      "the network takes text of \(config.textWidth) features, not \(given.type)")
    let (rows, columns) = (x.shape[1] / patch, x.shape[2] / patch)
    let counts = counts(condition["text_mask"], text: given)
    let normed = textNorm(given.cast(to: .float32))

    let place = Tensor.iota([1, given.shape[1]], axis: 1, .int32)
    let isText = place.less(counts.expanded([1])).cast(to: .float32).expanded([2])
    let total = counts.maximum(counts.zerosLike + 1).cast(to: .float32).expanded([1])
    let mean = (normed * isText).sum([1]) / total
    var signal = time(t) + pooledText(mean).shifted(by: condition)
    if let target { signal = signal + target(tt) * (t - tt).cast(to: .float32).expanded([1]) }

    let context = TextDiTBlock.Context(
      signal: signal.silu().cast(to: dtype),
      text: text(normed.cast(to: dtype)).shifted(by: condition),
      rotary: rotary(rows: rows, columns: columns),
      attention: AttentionOptions(mask: .keys(counts + Double(rows * columns))))
    let positions = Tensor.positions(
      height: rows, width: columns, features: config.width, base: config.size / patch)
    let pixels = stem?.features(x) ?? x
    let start = imageInput(pixels.patchTokens(patch, order: .rowColumnChannel))
    let states = blocks.outputs([start + positions.cast(to: dtype)], after: layers) { block, h in
      [block(h[0], context)]
    }

    let tokens = norm(states.last[0])
    let result = head(tokens, pixels: pixels, signal: context.signal)
      .replaced(onTwinOf: t, by: twinHead?(tokens, pixels: pixels, signal: context.signal))
    let features = states.chosen.map { $0[0] }
    return (config.preconditioning ? result + linearEstimate(x, t) : result, features)
  }

  /// The best estimate of the velocity z − x that is a multiple of `x_t = t·z + (1 − t)·x`, for
  /// samples x of variance 1: `(2t − 1) / (t² + (1 − t)²) · x_t`. At time 1 it is the noise itself.
  ///
  /// After Karras et al., "Elucidating the design space of diffusion-based generative models", 2022,
  /// section 5.
  private func linearEstimate(_ x: Tensor, _ t: Tensor) -> Tensor {
    let t = t.cast(to: .float32).abs()
    let ratio = (2 * t - 1) / (t * t + (1 - t) * (1 - t))
    return ratio.cast(to: x.dtype).expanded([1, 2, 3]) * x
  }
}

extension TextDiT: FeatureModel {
  /// The image tokens after chosen layers.
  public func features(
    after layers: [Int], _ x: Tensor, time t: Tensor, target tt: Tensor, condition: Named<Tensor>
  ) -> [Tensor] {
    evaluated(x, t, tt, condition, after: layers).features
  }
}

extension TextDiTConfig: FeatureArchitecture {
  /// The width of the image tokens.
  public var featureWidth: Int { width }
  /// The number of blocks.
  public var featureLayers: Int { depth }
}
