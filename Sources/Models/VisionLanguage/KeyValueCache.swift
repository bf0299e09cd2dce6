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
