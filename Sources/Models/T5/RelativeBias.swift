import Foundation
import Layers
import Tensors

/// T5's bias of attention logits by the distance of a key from its query: Raffel and others, 2020.
struct RelativeBias {
  let weight: Tensor
  let buckets: Int
  let farthest: Int

  init(_ scope: Scope, _ config: T5Config) {
    weight = scope.weight(
      "weight", [config.buckets, config.heads], .normal(0.02), axes: [nil, .heads])
    (buckets, farthest) = (config.buckets, config.farthest)
  }

  /// The bias for sequences of a length, `[heads, tokens, tokens]`.
  func callAsFunction(_ tokens: Int) -> Tensor {
    let distances = (1 - tokens)..<tokens
    let table = distances.map { Int32(Self.bucket($0, of: buckets, farthest: farthest)) }
    let biases = weight.take(.constant(table, shape: [table.count]))
    let key = Tensor.iota([tokens, tokens], axis: 1, .int32)
    let place = key - .iota([tokens, tokens], axis: 0, .int32) + Double(tokens - 1)
    return biases.take(place).transpose([2, 0, 1])
  }

  /// The bucket of a key's distance from its query, negative for keys before it.
  ///
  /// In each direction half of the buckets are for single distances, and the others for ranges that
  /// grow exponentially; computed in f32, as published, because a distance may be at a boundary.
  static func bucket(_ distance: Int, of buckets: Int, farthest: Int) -> Int {
    let side = buckets / 2
    let exact = side / 2
    let (start, size) = (distance > 0 ? side : 0, abs(distance))
    guard size >= exact else { return start + size }
    let octaves =
      log(Float(size) / Float(exact)) / Float(log(Double(farthest) / Double(exact)))
    return start + min(side - 1, exact + Int(octaves * Float(side - exact)))
  }
}
