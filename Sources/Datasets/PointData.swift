import Recipe
import Tensors

/// A set of points as recipes name it.
public struct PointData: ArrayDataSet {
  /// The names of all sets.
  public static var kinds: [String] { Points.allCases.map(\.rawValue) }

  /// The set.
  public let points: Points

  /// Names a set.
  public init(_ points: Points) { self.points = points }

  /// Finds the set of a name.
  public init(kind: String, from decoder: any Decoder) throws {
    guard let points = Points(rawValue: kind) else { preconditionFailure("no points \(kind)") }
    self = try Self(points).replaced(from: decoder)
  }

  /// Any of the sets; recipes name one.
  public static let defaults = Self(.moons)

  /// The description in the reference.
  public static let summary = "Points in the plane, without classes."

  /// There are no options.
  public static let fields: [Field] = []

  /// The name in recipes.
  public var kind: String { points.rawValue }

  /// Points alone.
  public var arrays: [InputSpec] { [.sample([2])] }

  /// Batches of fresh points.
  public func batches(size: Int, seed: UInt64) -> any BatchSource {
    PointBatches(points: points, size: size, seed: seed)
  }
}

/// Batches of points.
struct PointBatches: BatchSource {
  let points: Points
  let size: Int
  let seed: UInt64
  private var position = BatchNumber()

  init(points: Points, size: Int, seed: UInt64) {
    (self.points, self.size, self.seed) = (points, size, seed)
  }

  var content: String { points.rawValue }

  mutating func next(rows: Range<Int>) -> Named<HostArray> {
    let all = points.sample(size, seed: seed, number: position.next())
    let values = Array(all[2 * rows.lowerBound..<2 * rows.upperBound])
    return Named([(InputSpec.sample, HostArray(values, shape: [rows.count, 2]))])
  }

  func saved() -> String { position.saved }

  mutating func restore(_ saved: String) throws { try position.restore(saved) }
}
