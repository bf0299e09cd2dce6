import Flow
import Layers
import Tensors

/// The single-stream transformer of Z-Image: Z-Image Team, "Z-Image", 2025; diffusers'
/// `ZImageTransformer2DModel`.
///
/// Tokens of the image and of the text pass refining blocks apart, and then the same blocks together.
/// The network's own time is 1 for data and 0 for noise, and it predicts data minus noise; as a
/// `VelocityModel` it has the flow's times and sign. See `ZImageConfig.Times` for target times.
public struct ZImage {
  let config: ZImageConfig
  let time: ZImageTimeEmbedder
  let target: ZImageTimeEmbedder?
  let imageInputs: [LinearMap]
  let imagePadding: Tensor
  let textNorm: RMSNorm
  let textInput: LinearMap
  let textPadding: Tensor
  let imageBlocks: Stack<ZImageBlock>
  let textBlocks: Stack<ZImageBlock>
  let blocks: Stack<ZImageBlock>
  let outputs: [ZImageOutput]

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: ZImageConfig) {
    self.config = config
    let width = config.width
    let features = zip(config.patches, config.framePatches).map { $0 * $0 * $1 * config.channels }
    func padding(_ name: String) -> Tensor {
      scope.weight(name, [1, width], .normal(0.02), axes: [nil, .embed])
    }
    func stack(_ name: String, _ count: Int, isModulated: Bool = true) -> Stack<ZImageBlock> {
      Stack(scope / name, count: count, execution: config.execution) {
        ZImageBlock($0, config, isModulated: isModulated)
      }
    }
    time = ZImageTimeEmbedder(scope / "t_embedder", config) { _, _ in .normal(0.02) }
    target =
      config.hasTargetTime
      ? ZImageTimeEmbedder(scope / "t_embedder_2", config) { .xavierNormal($0, $1) } : nil
    imageInputs = features.enumerated().map { place, count in
      (scope / "all_x_embedder").linear(config.patchName(place), count, width, to: .embed)
    }
    imagePadding = padding("x_pad_token")
    textNorm = RMSNorm(
      scope / "cap_embedder" / 0, config.textWidth, epsilon: config.normEpsilon)
    textInput = (scope / "cap_embedder").linear("1", config.textWidth, width, to: .embed)
    textPadding = padding("cap_pad_token")
    imageBlocks = stack("noise_refiner", config.refinerDepth)
    textBlocks = stack("context_refiner", config.refinerDepth, isModulated: false)
    blocks = stack("layers", config.depth)
    outputs = features.enumerated().map { place, count in
      ZImageOutput(
        scope / "all_final_layer" / config.patchName(place), config, features: count)
    }
  }

  /// The published network's output, data minus noise, at its own times.
  ///
  /// - Parameters:
  ///   - x: latents `[batch, height, width, channels]`.
  ///   - text: the text encoder's hidden states `[batch, text tokens, text width]`.
  ///   - validText: bools or integers `[batch, text tokens]`, 0 for padding, which is behind the valid
  ///     tokens; or integers `[batch]`, the number of valid tokens; nil where all are valid.
  ///   - time: times `[batch]`, 1 for data; negative on the twin trajectory.
  ///   - target: target times `[batch]` likewise, ignored without the second time embedder.
  /// - Returns: the shape of the latents.
  public func output(
    _ x: Tensor, text: Tensor, validText: Tensor? = nil, time t: Tensor, target tt: Tensor
  ) -> Tensor {
    output(x, text: text, validText: validText, time: t, target: tt, isTwin: t.less(0))
  }

  /// See above.
  ///
  /// - Parameters:
  ///   - isTwin: bools `[batch]`, true on the twin trajectory.
  ///   - condition: the shift of the embedded text, where there is any.
  private func output(
    _ x: Tensor, text: Tensor, validText: Tensor?, time t: Tensor, target tt: Tensor,
    isTwin: Tensor, condition: Named<Tensor> = Named()
  ) -> Tensor {
    precondition(
      x.rank == 4 && x.shape[3] == config.channels,
      "the network takes latents of \(config.channels) channels, not \(x.type)")
    precondition(
      text.rank == 3 && text.shape[2] == config.textWidth && text.shape[0] == x.shape[0]
        && text.shape[1] > 0,
      "the network takes text of \(config.textWidth) features, not \(text.type)")
    let (patch, dtype) = (config.patch, x.dtype)
    let grid = TokenGrid(height: x.shape[1] / patch, width: x.shape[2] / patch)
    let sequence = sequence(
      grid, batch: x.shape[0], textTokens: text.shape[1], valid: validText)
    let signal = signal(t, tt).cast(to: dtype)
    let image = imageBlocks(imageTokens(x, sequence)) {
      $0($1, signal: signal, rotary: sequence.rotary.image, AttentionOptions())
    }
    let words = textBlocks(textTokens(text.cast(to: dtype), isTwin, sequence, condition)) {
      $0($1, signal: nil, rotary: sequence.rotary.text, sequence.attention.text)
    }
    let all = blocks(.concatenate([image, words], axis: 1)) {
      $0($1, signal: signal, rotary: sequence.rotary.all, sequence.attention.all)
    }
    return outputs[config.patchIndex](all.slice(1, 0..<grid.count), signal: signal)
      .imageOfTokens(
        height: x.shape[1], width: x.shape[2], patch: patch, order: .rowColumnChannel)
  }

  /// The embedding of times `[batch]`, `[batch, signal width]` in f32.
  private func signal(_ t: Tensor, _ tt: Tensor) -> Tensor {
    guard let target else { return time(t) }
    let gap = tt - t
    let size = config.times == .released ? gap.abs() : gap
    return time(t.abs()) + target(gap) * size.cast(to: .float32).expanded([1])
  }

  /// The image's tokens, with their padding.
  private func imageTokens(_ x: Tensor, _ sequence: Sequence) -> Tensor {
    let tokens = imageInputs[config.patchIndex](
      x.patchTokens(config.patch, order: .rowColumnChannel))
    return tokens.padded(to: sequence.isImage, imagePadding)
  }

  /// The text's tokens, with their padding; those of the text itself are negated on the twin trajectory
  /// where target times are signed.
  private func textTokens(
    _ text: Tensor, _ isTwin: Tensor, _ sequence: Sequence, _ condition: Named<Tensor>
  ) -> Tensor {
    var tokens = textInput(textNorm(text)).shifted(by: condition)
    if config.times == .signed {
      tokens = isTwin.expanded([1, 2]).select(-tokens, tokens)
    }
    return tokens.padded(to: sequence.isText, textPadding)
  }
}

extension Tensor {
  /// Tokens `[batch, tokens, width]` with others appended, up to the number in `isToken`.
  ///
  /// - Parameters:
  ///   - isToken: bools `[1 or batch, all tokens, 1]`, false where `padding` stands instead.
  ///   - padding: a token `[1, width]`.
  fileprivate func padded(to isToken: Tensor, _ padding: Tensor) -> Tensor {
    let missing = isToken.shape[1] - shape[1]
    let all = missing == 0 ? self : pad([(0, 0), (0, missing), (0, 0)])
    return isToken.select(all, padding.cast(to: dtype).expanded([0])).sharded(.batch)
  }
}

extension ZImage: VelocityModel {
  /// - Parameters:
  ///   - x: latents `[batch, height, width, channels]`.
  ///   - condition: `text` `[batch, text tokens, text width]`; `text_mask`, the valid text, where some
  ///     of it is padding.
  public func callAsFunction(
    _ x: Tensor, time t: Tensor, target tt: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    guard let text = condition["text"] else { preconditionFailure("the text is missing") }
    return -output(
      x, text: text, validText: condition["text_mask"], time: ownTime(t), target: ownTime(tt),
      isTwin: t.less(0), condition: condition)
  }

  /// The network's own time for one of the flow: `1 − t`, and on the twin trajectory `−(1 − |t|)`.
  ///
  /// TwinFlow's published network leaves 0 as it is: for it the targets 0 and 1 are the same at t = 1.
  private func ownTime(_ t: Tensor) -> Tensor {
    let size = 1 - t.abs()
    return config.times == .released ? t.sign() * size : t.less(0).select(-size, size)
  }
}
