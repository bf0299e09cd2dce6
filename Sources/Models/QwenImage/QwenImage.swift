import Flow
import Layers
import Tensors

/// The double-stream transformer of Qwen-Image and Qwen-Image-Edit: Qwen Team, "Qwen-Image technical
/// report", 2025; diffusers' `QwenImageTransformer2DModel`.
///
/// With a second time embedder the time's features are `E₁(t) + E₂(tt)·(t − tt)`, as in TwinFlow's
/// `QwenImageTransformer2DModelWrapper`; for tt = t it is the ordinary network.
public struct QwenImage {
  let config: QwenImageConfig
  let time: TimestepEmbedder
  let target: TimestepEmbedder?
  let textNorm: RMSNorm
  let textInput: LinearMap
  let imageInput: LinearMap
  let blocks: Stack<QwenImageBlock>
  let modulation: LinearMap
  let norm: LayerNorm
  let output: LinearMap

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: QwenImageConfig) {
    self.config = config
    let width = config.width
    let embedder = { (name: String) in
      TimestepEmbedder(scope / name / "timestep_embedder", width: width, scale: 1000)
    }
    time = embedder("time_text_embed")
    target = config.hasTargetTime ? embedder("time_text_embed_2") : nil
    textNorm = RMSNorm(scope / "txt_norm", config.textWidth)
    imageInput = scope.linear("img_in", config.inputFeatures, width, to: .embed)
    textInput = scope.linear("txt_in", config.textWidth, width, to: .embed)
    blocks = Stack(
      scope / "transformer_blocks", count: config.depth, execution: config.execution
    ) { QwenImageBlock($0, config) }
    norm = LayerNorm(scope / "norm_out" / "norm", width, affine: false)
    modulation = (scope / "norm_out").linear(
      "linear", width, 2 * width, initial: .zeros, from: .embed, to: .hidden)
    output = scope.linear(
      "proj_out", width, config.patch * config.patch * config.outputChannels, initial: .zeros,
      from: .embed)
  }

  /// Predicts the velocity of packed latents, see `Tensor.patchTokens`.
  ///
  /// - Parameters:
  ///   - tokens: `[batch, tokens, input features]` of the generated image, followed by those of each
  ///     reference image.
  ///   - grids: the sizes of these images in tokens.
  ///   - text: the text encoder's hidden states `[batch, text tokens, text width]`.
  ///   - validText: bools or integers `[batch, text tokens]`, 0 for padding; or integers `[batch]`, the
  ///     number of tokens before the padding; nil where there is none.
  ///   - time: signed times `[batch]`.
  ///   - target: signed target times `[batch]`, ignored without the second time embedder.
  ///   - condition: the shift of the embedded text, where there is any.
  /// - Returns: `[batch, tokens, patch² · output channels]`, including the references' tokens.
  public func callAsFunction(
    _ tokens: Tensor, grids: [TokenGrid], text: Tensor, validText: Tensor? = nil, time t: Tensor,
    target tt: Tensor, condition: Named<Tensor> = Named()
  ) -> Tensor {
    precondition(
      tokens.rank == 3 && tokens.shape[2] == config.inputFeatures && !grids.isEmpty
        && tokens.shape[1] == grids.reduce(0) { $0 + $1.count },
      "the network takes the tokens of \(grids), of \(config.inputFeatures) features, not "
        + "\(tokens.type)")
    precondition(
      text.rank == 3 && text.shape[2] == config.textWidth && text.shape[0] == tokens.shape[0],
      "the network takes text of \(config.textWidth) features, not \(text.type)")
    let dtype = tokens.dtype
    let signal = signal(t, tt)
    let rotary = rotary(grids, textTokens: text.shape[1])
    let context = QwenImageBlock.Context(
      signal: signal.silu().cast(to: dtype),
      clean: references(grids, signal: { self.signal(t * 0, tt * 0).silu().cast(to: dtype) }),
      rotary: rotary,
      attention: AttentionOptions(mask: mask(validText, tokens: tokens, text: text)))
    let start = [
      imageInput(tokens), textInput(textNorm(text.cast(to: dtype))).shifted(by: condition),
    ]
    let h = blocks(start) { block, h in block(h[0], h[1], context) }[0]
    let m = modulation(context.signal).sharded(.batch).expanded([1]).split(2, axis: -1)
    return output(norm(h) * (1 + m[0]) + m[1])
  }

  /// The embedding of times `[batch]`, `[batch, width]` in f32.
  private func signal(_ t: Tensor, _ tt: Tensor) -> Tensor {
    let first = time(t)
    guard let target else { return first }
    return first + target(tt) * (t - tt).cast(to: .float32).expanded([1])
  }

  /// The modulation of reference images at time 0, if the network has it.
  private func references(
    _ grids: [TokenGrid], signal: () -> Tensor
  ) -> QwenImageBlock.CleanTokens? {
    guard config.hasCleanReferences, grids.count > 1 else { return nil }
    let count = grids.reduce(0) { $0 + $1.count }
    let place = Tensor.iota([1, count, 1], axis: 1, .int32)
    return QwenImageBlock.CleanTokens(
      signal: signal(), isNoisy: place.less(.constant(Double(grids[0].count), .int32)))
  }

  /// The mask of attention among the tokens of images followed by those of text.
  private func mask(_ valid: Tensor?, tokens: Tensor, text: Tensor) -> AttentionMask {
    guard let valid else { return .none }
    let (batch, image) = (tokens.shape[0], tokens.shape[1])
    precondition(
      valid.shape == [batch] || valid.shape == [batch, text.shape[1]],
      "\(valid.type) does not say which tokens of \(text.type) are valid")
    if valid.rank == 1 { return .keys(valid.cast(to: .int32) + Double(image)) }
    let isValid = valid.dtype == .bool ? valid : valid.notEqual(valid.zerosLike)
    return .keys(.concatenate([.ones([batch, image], .bool), isValid], axis: 1))
  }
}

extension QwenImage: VelocityModel {
  /// - Parameters:
  ///   - x: latents `[batch, height, width, channels]`.
  ///   - condition: `text` `[batch, text tokens, text width]`; `text_mask`, the valid text, where some
  ///     of it is padding; for edits `reference.0`, `reference.1` …, latents `[batch, height, width,
  ///     channels]` of images of any sizes.
  public func callAsFunction(
    _ x: Tensor, time t: Tensor, target tt: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    guard let text = condition["text"] else { preconditionFailure("the text is missing") }
    let references = condition.group("reference")
    let images =
      [x]
      + (0..<references.count).map { number in
        guard let image = references["\(number)"] else {
          preconditionFailure("of \(references.count) references, number \(number) is missing")
        }
        return image.cast(to: x.dtype)
      }
    let tokens = Tensor.concatenate(images.map { $0.patchTokens(config.patch) }, axis: 1)
    let grids = images.map {
      TokenGrid(height: $0.shape[1] / config.patch, width: $0.shape[2] / config.patch)
    }
    let velocity = self(
      tokens, grids: grids, text: text, validText: condition["text_mask"], time: t, target: tt,
      condition: condition)
    return velocity.slice(1, 0..<grids[0].count)
      .imageOfTokens(height: x.shape[1], width: x.shape[2], patch: config.patch)
  }
}
