/// An endless order of a set's samples: every epoch is shuffled, and batches continue across
/// epochs, so that no sample is dropped.
///
/// The order depends on the seed only, and its position can be saved.
public struct BatchSampler: Sendable {
  /// A position in the order.
  public struct Position: Codable, Equatable, Sendable {
    /// The seed of the order.
    public let seed: UInt64
    /// The number of samples in the set.
    public let count: Int
    /// The epoch, from 0.
    public let epoch: Int
    /// The number of samples taken from the epoch.
    public let taken: Int
  }

  private let seed: UInt64
  private let count: Int
  private var epoch = 0
  private var taken = 0
  private var order: [Int]

  /// One sample of a batch.
  public struct Pick: Equatable, Sendable {
    /// The sample's index in the set.
    public let index: Int
    /// A random number of 64 bits, for what a sample leaves open.
    public let draw: UInt64

    /// A fair coin toss for augmentation.
    public var coin: Bool { draw >> 63 == 1 }
  }

  /// Makes the order of `count` samples.
  public init(count: Int, seed: UInt64) {
    precondition(count > 0, "an order needs a sample")
    self.count = count
    self.seed = seed
    order = Self.order(count, seed, 0)
  }

  /// The next samples.
  public mutating func next(_ size: Int) -> [Pick] {
    (0..<size).map { _ in
      if taken == count {
        (epoch, taken) = (epoch + 1, 0)
        order = Self.order(count, seed, epoch)
      }
      defer { taken += 1 }
      var random = SplitMix64(seed &+ 0x9E37_79B9 &* UInt64(epoch * count + taken + 1))
      return Pick(index: order[taken], draw: random.next())
    }
  }

  /// The current position.
  public var position: Position {
    Position(seed: seed, count: count, epoch: epoch, taken: taken)
  }

  /// Moves to a saved position.
  ///
  /// - Throws: `DatasetError.wrongPosition` where it is of another seed or set.
  public mutating func restore(_ position: Position) throws(DatasetError) {
    guard position.seed == seed, position.count == count else {
      throw .wrongPosition(
        reason: "it is of seed \(position.seed) and \(position.count) samples, "
          + "here are seed \(seed) and \(count)")
    }
    guard (0...Int.max / count - 2).contains(position.epoch), (0...count).contains(position.taken)
    else {
      throw .wrongPosition(
        reason: "sample \(position.taken) of epoch \(position.epoch) is not within \(count)")
    }
    (epoch, taken) = (position.epoch, position.taken)
    order = Self.order(count, seed, epoch)
  }

  private static func order(_ count: Int, _ seed: UInt64, _ epoch: Int) -> [Int] {
    var generator = SplitMix64(seed ^ (UInt64(epoch) &* 0xD1B5_4A32_D192_ED03))
    return Array(0..<count).shuffled(using: &generator)
  }
}

/// A small generator of random bits: Steele, Lea and Flood, 2014.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
