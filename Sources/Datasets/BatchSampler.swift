/// An endless order of a set's samples: every epoch is shuffled, and batches continue across
/// epochs, so that no sample is dropped.
///
/// The order depends on the seed only, and its position can be saved. Where samples are in buckets, those of
/// a batch are of one: samples wait for others of their bucket in the order in which they came, so that
/// which row of a batch a sample gets is left to chance.
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
    /// For each bucket the samples that wait for others, by their places in the endless order; nil without
    /// buckets.
    public let waiting: [[Int]]?
  }

  private let seed: UInt64
  private let count: Int
  private var epoch = 0
  private var taken = 0
  private var order: [Int]
  /// The bucket of each sample; empty where there is one.
  private let buckets: [UInt8]
  private var waiting: [[(place: Int, pick: Pick)]]

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
  ///
  /// - Parameter buckets: the bucket of each sample; empty where all are in one.
  public init(count: Int, seed: UInt64, buckets: [UInt8] = []) {
    precondition(count > 0, "an order needs a sample")
    precondition(buckets.isEmpty || buckets.count == count, "each sample has a bucket")
    self.count = count
    self.seed = seed
    // One bucket needs no waiting.
    let last = Int(buckets.max() ?? 0)
    self.buckets = last == 0 ? [] : buckets
    waiting = [[(place: Int, pick: Pick)]](repeating: [], count: last + 1)
    order = Self.order(count, seed, 0)
  }

  /// The next samples, all of one bucket.
  public mutating func next(_ size: Int) -> [Pick] {
    guard !buckets.isEmpty else { return (0..<size).map { _ in take().pick } }
    while true {
      let next = take()
      let bucket = Int(buckets[next.pick.index])
      waiting[bucket].append(next)
      guard waiting[bucket].count >= size else { continue }
      defer { waiting[bucket].removeFirst(size) }
      return waiting[bucket].prefix(size).map(\.pick)
    }
  }

  /// The next sample, and its place in the endless order.
  private mutating func take() -> (place: Int, pick: Pick) {
    if taken == count {
      (epoch, taken) = (epoch + 1, 0)
      order = Self.order(count, seed, epoch)
    }
    defer { taken += 1 }
    let place = epoch * count + taken
    return (place, Self.pick(order[taken], place, seed))
  }

  private static func pick(_ index: Int, _ place: Int, _ seed: UInt64) -> Pick {
    var random = SplitMix64(seed &+ 0x9E37_79B9 &* UInt64(place + 1))
    return Pick(index: index, draw: random.next())
  }

  /// The current position.
  public var position: Position {
    Position(
      seed: seed, count: count, epoch: epoch, taken: taken,
      waiting: buckets.isEmpty ? nil : waiting.map { $0.map(\.place) })
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
    waiting = try restored(position)
    (epoch, taken) = (position.epoch, position.taken)
    order = Self.order(count, seed, epoch)
  }

  /// The samples that wait at a saved position.
  private func restored(
    _ position: Position
  ) throws(DatasetError) -> [[(place: Int, pick: Pick)]] {
    let end = position.epoch * count + position.taken
    let places = position.waiting ?? waiting.map { _ in [] }
    guard places.count == waiting.count, places.joined().allSatisfy((0..<end).contains) else {
      throw .wrongPosition(
        reason: "\(places.count) buckets wait for samples, here are \(waiting.count)")
    }
    var orders: [Int: [Int]] = [:]
    for epoch in Set(places.joined().map { $0 / count }) {
      orders[epoch] = Self.order(count, seed, epoch)
    }
    let restored = places.map { places in
      places.map { place in
        (place: place, pick: Self.pick(orders[place / count]![place % count], place, seed))
      }
    }
    for (bucket, waiting) in restored.enumerated() {
      guard waiting.allSatisfy({ buckets.isEmpty || Int(buckets[$0.pick.index]) == bucket }) else {
        throw .wrongPosition(reason: "its samples are in other buckets")
      }
    }
    return restored
  }

  private static func order(_ count: Int, _ seed: UInt64, _ epoch: Int) -> [Int] {
    var generator = SplitMix64(seed ^ (UInt64(epoch) &* 0xD1B5_4A32_D192_ED03))
    return Array(0..<count).shuffled(using: &generator)
  }
}
