/// How many rows of a batch each part of the TwinFlow objective gets; the rows lie in this order.
public struct Partition: Hashable, Sendable, Codable {
  /// From noise to data in one step: (t, tt) = (1, 0).
  public var endToEnd: Int
  /// Multi-step: the target time lies just before the current time.
  public var multiStep: Int
  /// Any step: both times as drawn.
  public var anyStep: Int
  /// Self-adversarial: the network's own fakes at negative times.
  public var adversarial: Int

  /// Makes a partition from counts.
  public init(endToEnd: Int, multiStep: Int, anyStep: Int, adversarial: Int) {
    self.endToEnd = endToEnd
    self.multiStep = multiStep
    self.anyStep = anyStep
    self.adversarial = adversarial
  }

  /// Splits a batch by weights with the largest-remainder rule: each part gets its share rounded
  /// down, and what is left goes to the largest fractions, the earlier part on a tie.
  ///
  /// - Throws: `FlowError.batchTooSmall` where a part with a positive weight would get no row.
  public init(batch: Int, weights: GroupWeights) throws {
    let counts = Self.split(batch, weights.list)
    guard zip(counts, weights.list).allSatisfy({ $0 > 0 || $1 == 0 }) else {
      let smallest = ((batch + 1)...).first { size in
        zip(Self.split(size, weights.list), weights.list).allSatisfy { $0 > 0 || $1 == 0 }
      }!
      throw FlowError.batchTooSmall(batch: batch, weights: weights, smallest: smallest)
    }
    self.init(
      endToEnd: counts[0], multiStep: counts[1], anyStep: counts[2], adversarial: counts[3])
  }

  /// The number of rows.
  public var batch: Int { endToEnd + multiStep + anyStep + adversarial }

  /// The rows that are not adversarial.
  public var real: Int { endToEnd + multiStep + anyStep }

  private static func split(_ batch: Int, _ weights: [Double]) -> [Int] {
    let sum = weights.reduce(0, +)
    let shares = weights.map { Double(batch) * $0 / sum }
    var counts = shares.map { Int($0) }
    let order = shares.indices.sorted {
      let (a, b) = (shares[$0] - Double(counts[$0]), shares[$1] - Double(counts[$1]))
      return a != b ? a > b : $0 < $1
    }
    for place in order.prefix(batch - counts.reduce(0, +)) { counts[place] += 1 }
    return counts
  }
}

/// The relative sizes of the parts of a batch.
public struct GroupWeights: Hashable, Sendable, Codable {
  /// The weight of the end-to-end rows.
  public var endToEnd: Double
  /// The weight of the multi-step rows.
  public var multiStep: Double
  /// The weight of the any-step rows.
  public var anyStep: Double
  /// The weight of the adversarial rows.
  public var adversarial: Double

  /// Makes weights, by default equal ones.
  public init(
    endToEnd: Double = 1, multiStep: Double = 1, anyStep: Double = 1, adversarial: Double = 1
  ) {
    self.endToEnd = endToEnd
    self.multiStep = multiStep
    self.anyStep = anyStep
    self.adversarial = adversarial
  }

  var list: [Double] { [endToEnd, multiStep, anyStep, adversarial] }
}

/// What can be wrong with the settings of a method.
public enum FlowError: Error, Equatable, CustomStringConvertible {
  /// A wanted part of the batch would be empty.
  case batchTooSmall(batch: Int, weights: GroupWeights, smallest: Int)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .batchTooSmall(let batch, let weights, let smallest):
      let names = ["end_to_end", "multi_step", "any_step", "adversarial"]
      let parts = zip(names, weights.list).filter { $0.1 > 0 }.map { "\($0.0) \($0.1)" }
      return "A batch of \(batch) leaves a group empty; the groups are "
        + parts.joined(separator: ", ")
        + ". Use a batch of \(smallest) or more, or set the unwanted groups' weights to 0."
    }
  }
}
