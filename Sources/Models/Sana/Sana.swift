import Flow
import Layers
import Tensors

/// The linear-attention transformer of SANA and SANA-Sprint: Xie and others, "SANA: Efficient
/// high-resolution image synthesis with linear diffusion transformers", 2024; Chen and others,
/// "SANA-Sprint", 2025; diffusers' `SanaTransformer2DModel`.
///
/// With a second time embedder the time's features and their modulation are those of `E₁(t)` plus
/// `(t − tt)` times those of `E₂(tt)`, as in TwinFlow's `SanaTransformer2DModelWrapper`; for tt = t it is the
/// ordinary network.
public struct Sana {
  let config: SanaConfig
  let patches: Convolution2D
  let time: SanaTimeEmbedder
  let target: SanaTimeEmbedder?
  let textInput: MLP
  let textNorm: RMSNorm
  let blocks: Stack<SanaBlock>
  let norm: LayerNorm
  let modulation: Tensor
  let output: LinearMap

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: SanaConfig) {
    self.config = config
    let width = config.width
    patches = Convolution2D(
      scope / "patch_embed" / "proj", config.channels, width, kernel: config.patch,
      stride: config.patch)
    time = SanaTimeEmbedder(
      scope / "time_embed", width, hasGuidance: config.hasGuidance,
      initial: .xavier(width, 6 * width))
    target =
      config.hasTargetTime
      ? SanaTimeEmbedder(scope / "time_embed_2", width, hasGuidance: false, initial: .normal(0.02))
      : nil
    let text = scope / "caption_projection"
    textInput = MLP(
      text.linear("linear_1", config.textWidth, width, to: .hidden),
      text.linear("linear_2", width, width, from: .hidden, to: .embed)
    ) { $0.gelu(approximate: true) }
    textNorm = RMSNorm(scope / "caption_norm", width, epsilon: 1e-5)
    blocks = Stack(
      scope / "transformer_blocks", count: config.depth, execution: config.execution
    ) { SanaBlock($0, config) }
    // The published code has this epsilon whatever that of the blocks is.
    norm = LayerNorm(scope / "norm_out" / "norm", width, affine: false, epsilon: 1e-6)
    modulation = scope.weight(
      "scale_shift_table", [2, width], .normal(1 / Double(width).squareRoot()),
      axes: [nil, .embed])
    output = scope.linear(
      "proj_out", width, config.patch * config.patch * config.outputChannels, from: .embed)
  }

  /// Predicts the velocity of latents.
  ///
  /// - Parameters:
  ///   - x: latents `[batch, height, width, channels]`.
  ///   - text: the text encoder's hidden states `[batch, text tokens, text width]`.
  ///   - validText: bools or integers `[batch, text tokens]`, 0 for padding; or integers `[batch]`, the
  ///     number of tokens before the padding; nil where there is none.
  ///   - time: signed times `[batch]`.
  ///   - target: signed target times `[batch]`, ignored without the second time embedder.
  ///   - guidance: scales of guidance `[batch]`, for a network that embeds them.
  ///   - condition: the shift of the embedded text, where there is any.
  /// - Returns: `[batch, height, width, output channels]`.
  public func callAsFunction(
    _ x: Tensor, text: Tensor, validText: Tensor? = nil, time t: Tensor, target tt: Tensor,
    guidance: Tensor? = nil, condition: Named<Tensor> = Named()
  ) -> Tensor {
    precondition(
      x.rank == 4 && x.shape[3] == config.channels && x.shape[1] % config.patch == 0
        && x.shape[2] % config.patch == 0,
      "the network takes latents of \(config.channels) channels in patches of \(config.patch)², "
        + "not \(x.type)")
    precondition(
      text.rank == 3 && text.shape[2] == config.textWidth && text.shape[0] == x.shape[0],
      "the network takes text of \(config.textWidth) features, not \(text.type)")
    let dtype = x.dtype
    let grid = TokenGrid(height: x.shape[1] / config.patch, width: x.shape[2] / config.patch)
    let signal = signal(t, tt, guidance)
    let context = SanaBlock.Context(
      grid: grid, modulation: signal.modulation.cast(to: dtype),
      text: textNorm(textInput(text.cast(to: dtype))).shifted(by: condition).sharded(.batch),
      attention: AttentionOptions(mask: mask(validText, text)))
    let h = blocks(tokens(x, grid)) { block, h in block(h, context) }
    let parts = (modulation.cast(to: .float32) + signal.embedding.expanded([1])).cast(to: dtype)
      .split(2, axis: 1)
    return output(norm(h) * (1 + parts[1]) + parts[0])
      .imageOfTokens(
        height: x.shape[1], width: x.shape[2], patch: config.patch, order: .rowColumnChannel)
  }

  /// The embedding of times `[batch]`, `[batch, width]`, and the modulation of the blocks
  /// `[batch, 6, width]`, both in f32.
  private func signal(
    _ t: Tensor, _ tt: Tensor, _ guidance: Tensor?
  ) -> SanaTimeEmbedder.Signal {
    let factor = config.timeFactor
    let first = time(
      t * factor, guidance: config.hasGuidance ? scale(guidance, like: t) : nil)
    guard let target else { return first }
    let (second, gap) = (target(tt * factor, guidance: nil), (t - tt).cast(to: .float32))
    return SanaTimeEmbedder.Signal(
      embedding: first.embedding + second.embedding * gap.expanded([1]),
      modulation: first.modulation + second.modulation * gap.expanded([1, 2]))
  }

  /// The scales of guidance as they are embedded.
  private func scale(_ guidance: Tensor?, like t: Tensor) -> Tensor {
    (guidance ?? .constant(SanaConfig.standardGuidance, .float32).broadcast(to: t.shape))
      .cast(to: .float32) * config.guidanceScale
  }

  /// The image's tokens, with their positions where the network has such.
  private func tokens(_ x: Tensor, _ grid: TokenGrid) -> Tensor {
    let tokens = patches(x).reshape([x.shape[0], grid.count, config.width]).sharded(.batch)
    guard let interpolation = config.interpolation else { return tokens }
    return tokens
      + Tensor.positions(
        height: grid.height, width: grid.width, features: config.width,
        base: config.sampleSize / config.patch, interpolation: interpolation
      ).cast(to: x.dtype)
  }

  /// The mask of attention to the text.
  private func mask(_ valid: Tensor?, _ text: Tensor) -> AttentionMask {
    guard let valid else { return .none }
    precondition(
      valid.shape == [text.shape[0]] || valid.shape == [text.shape[0], text.shape[1]],
      "\(valid.type) does not say which tokens of \(text.type) are valid")
    if valid.rank == 1 { return .keys(valid.cast(to: .int32)) }
    return .keys(valid.dtype == .bool ? valid : valid.notEqual(valid.zerosLike))
  }
}

extension Sana: VelocityModel {
  /// - Parameters:
  ///   - x: latents `[batch, height, width, channels]`.
  ///   - condition: `text` `[batch, text tokens, text width]`; `text_mask`, the valid text, where some
  ///     of it is padding; `guidance`, scales `[batch]`, for SANA-Sprint, whose published scale is taken
  ///     without it.
  public func callAsFunction(
    _ x: Tensor, time t: Tensor, target tt: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    guard let text = condition["text"] else { preconditionFailure("the text is missing") }
    let velocity = self(
      x, text: text, validText: condition["text_mask"], time: t, target: tt,
      guidance: condition["guidance"], condition: condition)
    // What follows the velocity's channels is a variance, which is not used.
    return velocity.slice(3, 0..<config.channels)
  }
}

/// The embedding of a time, and of a scale of guidance beside it, with the modulation of all blocks.
struct SanaTimeEmbedder {
  /// What is made of a time.
  struct Signal {
    /// The embedding, `[batch, width]`.
    let embedding: Tensor
    /// Shift, scale and gate of attention, then those of the MLP, `[batch, 6, width]`.
    let modulation: Tensor
  }

  let time: TimestepEmbedder
  let guidance: TimestepEmbedder?
  let modulation: LinearMap

  init(_ scope: Scope, _ width: Int, hasGuidance: Bool, initial: Initializer) {
    time = TimestepEmbedder(
      (hasGuidance ? scope : scope / "emb") / "timestep_embedder", width: width)
    guidance =
      hasGuidance ? TimestepEmbedder(scope / "guidance_embedder", width: width) : nil
    modulation = scope.linear(
      "linear", width, 6 * width, initial: initial, from: .embed, to: .hidden)
  }

  /// Times and scales `[batch]` in the network's own units.
  func callAsFunction(_ t: Tensor, guidance scale: Tensor?) -> Signal {
    var embedding = time(t)
    if let guidance, let scale { embedding = embedding + guidance(scale) }
    let modulation = modulation(embedding.silu()).sharded(.batch)
    return Signal(
      embedding: embedding,
      modulation: modulation.reshape([t.shape[0], 6, embedding.shape[1]]))
  }
}
