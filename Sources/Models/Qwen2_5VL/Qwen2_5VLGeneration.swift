import Layers
import Tensors

/// The keys and values of tokens in all layers, each `[layers, batch, tokens, key heads, width]`.
public struct KeyValueCache {
  /// The keys, turned by their positions.
  public let keys: Tensor
  /// The values.
  public let values: Tensor

  /// Holds keys and values.
  public init(keys: Tensor, values: Tensor) { (self.keys, self.values) = (keys, values) }

  /// The type of each in an element type.
  public static func type(
    _ config: Qwen2_5VLConfig, batch: Int, tokens: Int, _ dtype: DType
  ) -> TensorType {
    TensorType([config.depth, batch, tokens, config.heads.keys, config.heads.width], dtype)
  }

  /// This with room for more tokens behind.
  public func padded(by count: Int) -> KeyValueCache {
    let amounts = [(0, 0), (0, 0), (0, count), (0, 0), (0, 0)].map { (low: $0.0, high: $0.1) }
    return KeyValueCache(keys: keys.pad(amounts), values: values.pad(amounts))
  }

  /// This with the tokens from a place on replaced, an s32 scalar.
  public func updated(from place: Tensor, with other: KeyValueCache) -> KeyValueCache {
    KeyValueCache(
      keys: keys.updated(2, from: place, with: other.keys),
      values: values.updated(2, from: place, with: other.values))
  }
}

extension Qwen2_5VL {
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
  public func generation(
    _ tokens: Tensor, valid: Tensor, images: Images? = nil, positions: Tensor,
    after cache: KeyValueCache? = nil, in dtype: DType = .float32
  ) -> (last: Tensor, own: KeyValueCache) {
    let (batch, length) = (tokens.shape[0], tokens.shape[1])
    precondition(
      cache == nil || length == 1 && !config.layers.contains(.sliding),
      "\(length) tokens in layers \(config.layers) cannot follow cached ones")
    let rotary = Rotary(
      angles: positions.multimodalAngles(
        width: config.heads.width, sections: config.sections, base: config.theta),
      layout: .halfSplit)
    let windows = LayerWindows(
      config.layers.map { $0 == .sliding ? config.window : nil }, tokens: length)
    let options = AttentionOptions(mask: cache == nil ? .causal(valid) : .keys(valid))
    let type = KeyValueCache.type(config, batch: batch, tokens: length, dtype)
    let empty = Tensor.zeros(Shape(Array(type.shape.sizes.dropFirst())), dtype)
    let cached = cache.map { [$0.keys, $0.values] } ?? []
    let outputs = decoder.layers.outputs(
      [embedded(tokens, images, dtype), empty, empty], perLayer: windows.perLayer + cached,
      after: Array(0..<config.depth)
    ) { layer, values, own in
      let earlier = cache.map { _ in
        GroupedAttention.KeyValues(keys: own[own.count - 2], values: own[own.count - 1])
      }
      let (x, new) = layer(
        values[0], windows.applied(to: options, cache == nil ? own : []), rotary, after: earlier)
      return [x.sharded(.batch), new.keys, new.values]
    }
    let last = decoder.norm(outputs.last[0].slice(1, length - 1..<length)).reshape([
      batch, config.width,
    ])
    func stacked(_ part: Int) -> Tensor { .stack(outputs.chosen.map { $0[part] }) }
    return (last, KeyValueCache(keys: stacked(1), values: stacked(2)))
  }

  /// The logits of the next token, f32 `[batch, vocabulary]`, from the state of the last one, for models
  /// whose map to logits is the embedding of the tokens.
  public func tiedLogits(_ last: Tensor) -> Tensor { decoder.embedding.logits(last) }
}
