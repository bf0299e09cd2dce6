import Layers
import Tensors

/// A language model that sees images and says the next token of a text.
public protocol VisionLanguageModel {
  /// Runs the layers on the tokens of prompts, or on one token after others whose keys and values are
  /// cached, to generate text.
  ///
  /// Layers must not be limited to windows where tokens are cached.
  ///
  /// - Parameters:
  ///   - tokens: s32 `[batch, tokens]`.
  ///   - valid: bools `[batch, cached tokens + tokens]`, false for padding.
  ///   - images: the images, nil for text alone.
  ///   - positions: s32 `[3, batch, tokens]`, each token's time, row and column.
  ///   - cache: the tokens before; nil for none. With it there is one token.
  /// - Returns: the state of the last token after the final norm, `[batch, width]`, and the keys and values
  ///   of these tokens.
  func generation(
    _ tokens: Tensor, valid: Tensor, images: ImageEmbeddings?, positions: Tensor,
    after cache: KeyValueCache?, in dtype: DType
  ) -> (last: Tensor, own: KeyValueCache)

  /// The logits of the next token, f32 `[batch, vocabulary]`, from the state of the last one, for models
  /// whose map to logits is the embedding of the tokens.
  func tiedLogits(_ last: Tensor) -> Tensor
}

/// A language model of a decoder's layers whose positions have three axes.
protocol MultimodalDecoder: VisionLanguageModel {
  associatedtype Sizes: DecoderConfig
  var config: Sizes { get }
  var decoder: DecoderStack { get }

  /// The rotary angles `[batch, tokens, width/2]` of positions `[3, batch, tokens]`.
  func angles(_ positions: Tensor) -> Tensor
}

extension MultimodalDecoder {
  /// Tokens with the embeddings of images in their places, `[batch, tokens, width]`.
  func embedded(_ tokens: Tensor, _ images: ImageEmbeddings?, _ dtype: DType) -> Tensor {
    let x = decoder.embedding(tokens).cast(to: dtype)
    return images?.embeddings(otherwise: x) ?? x
  }

  /// See `VisionLanguageModel`.
  public func generation(
    _ tokens: Tensor, valid: Tensor, images: ImageEmbeddings?, positions: Tensor,
    after cache: KeyValueCache?, in dtype: DType
  ) -> (last: Tensor, own: KeyValueCache) {
    let (batch, length) = (tokens.shape[0], tokens.shape[1])
    precondition(
      cache == nil || length == 1 && !config.layers.contains(.sliding),
      "\(length) tokens in layers \(config.layers) cannot follow cached ones")
    let rotary = Rotary(angles: angles(positions), layout: .halfSplit)
    let windows = LayerWindows(
      config.layers.map { $0 == .sliding ? config.window : nil }, tokens: length)
    let options = AttentionOptions(mask: cache == nil ? .causal(valid) : .keys(valid))
    let empty = Tensor.zeros([batch, length, config.heads.keys, config.heads.width], dtype)
    let cached = cache.map { [$0.keys, $0.values] } ?? []
    var (x, own) = (embedded(tokens, images, dtype), [[Tensor]]())
    for layers in ranges(images) {
      let outputs = decoder.layers.outputs(
        [x, empty, empty], perLayer: windows.perLayer + cached, layers: layers,
        after: Array(layers)
      ) { layer, values, own in
        let earlier = cache.map { _ in
          GroupedAttention.KeyValues(keys: own[own.count - 2], values: own[own.count - 1])
        }
        let (x, new) = layer(
          values[0], windows.applied(to: options, cache == nil ? own : []), rotary, after: earlier)
        return [x.sharded(.batch), new.keys, new.values]
      }
      x = outputs.last[0]
      own += outputs.chosen
      if let images, layers.lowerBound < images.features.deep.count {
        x = x + images.deep(layers.lowerBound, like: x)
      }
    }
    let last = decoder.norm(x.slice(1, length - 1..<length)).reshape([batch, config.width])
    func stacked(_ part: Int) -> Tensor { .stack(own.map { $0[part] }) }
    return (last, KeyValueCache(keys: stacked(1), values: stacked(2)))
  }

  /// The layers that are run together: each one alone after which features of images are added, and the rest.
  private func ranges(_ images: ImageEmbeddings?) -> [Range<Int>] {
    let count = images?.features.deep.count ?? 0
    return (0..<count).map { $0..<$0 + 1 } + (count < config.depth ? [count..<config.depth] : [])
  }

  /// See `VisionLanguageModel`.
  public func tiedLogits(_ last: Tensor) -> Tensor { decoder.embedding.logits(last) }
}
