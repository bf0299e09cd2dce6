import Foundation
import Models
import Tensors

/// By which rules the queries of a Mask2Former become the things in a picture.
public enum InstanceRules: Hashable, Sendable {
  /// Those of mmdetection: the best pairs of a query and a class, at most `limit`; masks are made from
  /// logits in the picture's size. GenEval's detector does this, with a limit of 100.
  case mmdetection(limit: Int = 100)
  /// Those of transformers: as many pairs as there are queries, of which scores below the threshold and
  /// empty masks are left out; masks are made in 384 × 384 pixels, and then resized.
  case transformers(threshold: Float = 0.5)
}

/// The masks of all queries of a network, in the size of a picture.
struct InstanceMasks {
  /// The mean probability within each mask, f32 `[queries]`.
  let scores: Tensor
  /// The masks, bools `[queries, height, width]`.
  let masks: Tensor

  /// Makes masks from logits.
  ///
  /// - Parameters:
  ///   - logits: `[queries, rows, columns]`.
  ///   - size: the size of what the network has seen.
  ///   - content: the part of it that the picture fills.
  ///   - picture: the size of the picture.
  init(
    _ logits: Tensor, _ rules: InstanceRules, size: ImageSize, content: ImageSize,
    picture: ImageSize
  ) {
    // Queries stand where a batch does.
    let wide = logits.wide.expanded([3])
    switch rules {
    case .mmdetection:
      let resized = wide.bilinearResized(height: size.height, width: size.width)
        .slice(1, 0..<content.height).slice(2, 0..<content.width)
        .bilinearResized(height: picture.height, width: picture.width)
      let shape = Shape([logits.shape[0], picture.height, picture.width])
      (scores, masks) = Self.binary(resized.reshape(shape))
    case .transformers:
      let side = 384
      let resized = wide.bilinearResized(height: side, width: side)
        .reshape([logits.shape[0], side, side])
      let (scores, masks) = Self.binary(resized)
      func nearest(_ count: Int) -> Tensor {
        let scale = Float(side) / Float(count)
        return .constant(
          (0..<count).map { Int32(min(side - 1, Int(Float($0) * scale))) }, shape: [count])
      }
      self.scores = scores
      self.masks = masks.take(nearest(picture.height), axis: 1)
        .take(nearest(picture.width), axis: 2)
    }
  }

  private static func binary(_ logits: Tensor) -> (scores: Tensor, masks: Tensor) {
    let masks = logits.greater(0)
    let inside = masks.cast(to: .float32)
    let scores = (logits.sigmoid() * inside).sum([1, 2]) / (inside.sum([1, 2]) + 1e-6)
    return (scores, masks)
  }
}

/// A thing that was found in a picture.
public struct Detection: Hashable, Sendable {
  /// The number of its class.
  public let label: Int
  /// The name of its class.
  public let name: String
  /// The probability of its class, times the mean probability within its mask.
  public let score: Float
  /// The left, upper, right and lower edge of its mask in pixels, the latter two after its last pixel;
  /// zeros for an empty mask.
  public let box: [Float]
  /// Its pixels, row by row.
  public let mask: [Bool]
  /// The probability of its class.
  package let classScore: Float
}

extension InstanceRules {
  /// The best pairs of a query and a class, the best first.
  ///
  /// - Parameter logits: the logits of the classes of each query, the last one that of nothing.
  func pairs(_ logits: [[Float]]) -> [(query: Int, label: Int, score: Float)] {
    let all = logits.enumerated().flatMap { query, row in
      let largest = row.max() ?? 0
      let weights = row.map { exp($0 - largest) }
      let sum = weights.reduce(0, +)
      return weights.dropLast().enumerated().map { (query: query, label: $0, score: $1 / sum) }
    }
    let limit =
      switch self {
      case .mmdetection(let limit): limit
      case .transformers: logits.count
      }
    return Array(all.sorted { $0.score > $1.score }.prefix(limit))
  }

  /// Whether a thing is left out.
  func drops(score: Float, isEmpty: Bool) -> Bool {
    if case .transformers(let threshold) = self { return isEmpty || score < threshold }
    return false
  }
}
