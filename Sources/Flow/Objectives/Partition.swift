/// The number of rows of a batch in each group of the TwinFlow objective, in the order of the rows.
public struct Partition: Hashable, Sendable, Codable {
  /// From noise to data in one step: (t, tt) = (1, 0); published as `e2e`.
  public var endToEnd: Int
  /// Multi-step: the target time is close to the current time; published as `mul`.
  public var multiStep: Int
  /// Any step: both times as drawn; published as `any`.
  public var anyStep: Int
  /// Self-adversarial: the network's own fakes at negative times; published as `adv`.
  public var adversarial: Int
  /// From a drawn time to data in one step: tt = 0; published, for LoRA, as `one`.
  public var toData: Int

  /// Makes a partition from counts.
  public init(
    endToEnd: Int, multiStep: Int, anyStep: Int, adversarial: Int, toData: Int = 0
  ) {
    self.endToEnd = endToEnd
    self.multiStep = multiStep
    self.anyStep = anyStep
    self.adversarial = adversarial
    self.toData = toData
  }

  /// Divides a batch by weights with the largest-remainder method: each group gets its share
  /// rounded down, and the remaining rows go to the largest fractions, to the earlier group on a
  /// tie.
  ///
  /// - Throws: `FlowError.batchTooSmall` where a group with a positive weight would get no row.
  public init(batch: Int, weights: GroupWeights) throws {
    let counts = Self.split(batch, weights.list)
    guard zip(counts, weights.list).allSatisfy({ $0 > 0 || $1 == 0 }) else {
      // This many rows are always enough; fewer may be where fractions are rounded up.
      let least = weights.list.filter { $0 > 0 }.min()!
      let enough = Int((weights.list.reduce(0, +) / least).rounded(.up))
      let fewer =
        enough > 10_000
        ? nil
        : (batch + 1..<max(batch + 1, enough)).first { size in
          zip(Self.split(size, weights.list), weights.list).allSatisfy { $0 > 0 || $1 == 0 }
        }
      let smallest = fewer ?? enough
      throw FlowError.batchTooSmall(batch: batch, weights: weights, smallest: smallest)
    }
    self.init(
      endToEnd: counts[0], multiStep: counts[1], anyStep: counts[2], adversarial: counts[3],
      toData: counts[4])
  }

  /// The numbers of rows of all groups, in order.
  var counts: [Int] { [endToEnd, multiStep, anyStep, adversarial, toData] }

  /// The partition of one of `count` micro-batches.
  ///
  /// - Throws: `FlowError.indivisibleGroup`.
  func microBatch(of count: Int) throws(FlowError) -> Partition {
    for (name, rows) in zip(GroupWeights.names, counts) where rows % count != 0 {
      throw .indivisibleGroup(name: "The group \(name)", rows: rows, microBatches: count)
    }
    return Partition(
      endToEnd: endToEnd / count, multiStep: multiStep / count, anyStep: anyStep / count,
      adversarial: adversarial / count, toData: toData / count)
  }

  /// The number of rows.
  public var batch: Int { counts.reduce(0, +) }

  /// The number of rows that are not adversarial.
  public var real: Int { batch - adversarial }

  /// Whether any row's target time may be far from its current time.
  var hasFarTargets: Bool { endToEnd + anyStep + toData > 0 }

  /// The rows of the end-to-end group.
  package var endToEndRows: Range<Int> { rows(0) }
  /// The rows of the multi-step group.
  var multiStepRows: Range<Int> { rows(1) }
  /// The rows of the any-step group.
  var anyStepRows: Range<Int> { rows(2) }
  /// The rows of the adversarial group.
  var adversarialRows: Range<Int> { rows(3) }
  /// The rows from a drawn time to data.
  var toDataRows: Range<Int> { rows(4) }

  private func rows(_ group: Int) -> Range<Int> {
    let start = counts[..<group].reduce(0, +)
    return start..<start + counts[group]
  }

  /// The rows that are not adversarial, from the first given on.
  package func realRanges(from first: Int = 0) -> [Range<Int>] {
    [first..<max(first, adversarialRows.lowerBound), toDataRows].filter { !$0.isEmpty }
  }

  /// The rows whose target time is far from the current one, that of data where not both are drawn.
  package var farRanges: [Range<Int>] {
    [endToEndRows, anyStepRows, toDataRows].filter { !$0.isEmpty }
  }

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

/// The relative sizes of the groups of a batch.
public struct GroupWeights: Hashable, Sendable {
  /// The weight of the end-to-end rows.
  public var endToEnd: Double
  /// The weight of the multi-step rows.
  public var multiStep: Double
  /// The weight of the any-step rows.
  public var anyStep: Double
  /// The weight of the adversarial rows.
  public var adversarial: Double
  /// The weight of the rows from a drawn time to data.
  public var toData: Double

  /// Makes weights, by default those of the published recipe.
  public init(
    endToEnd: Double = 1, multiStep: Double = 1, anyStep: Double = 1, adversarial: Double = 1,
    toData: Double = 0
  ) {
    self.endToEnd = endToEnd
    self.multiStep = multiStep
    self.anyStep = anyStep
    self.adversarial = adversarial
    self.toData = toData
  }

  /// The groups' names in recipes, in order.
  static var names: [String] { fields.map(\.name) }

  var list: [Double] { [endToEnd, multiStep, anyStep, adversarial, toData] }
}

/// What can be wrong with a method's settings for a batch.
public enum FlowError: Error, Equatable, CustomStringConvertible {
  /// A group with a positive weight would be empty.
  case batchTooSmall(batch: Int, weights: GroupWeights, smallest: Int)
  /// A step of a simulation would have no row.
  case fewerRowsThanSteps(batch: Int, steps: Int)
  /// A group of rows cannot be divided equally among micro-batches.
  case indivisibleGroup(name: String, rows: Int, microBatches: Int)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .batchTooSmall(let batch, let weights, let smallest):
      let groups = zip(GroupWeights.names, weights.list).filter { $0.1 > 0 }
        .map { "\($0.0) \($0.1)" }
      return "A batch of \(batch) leaves a group empty; the groups are "
        + groups.joined(separator: ", ")
        + ". Use a batch of \(smallest) or more, or set the unwanted groups' weights to 0."
    case .fewerRowsThanSteps(let batch, let steps):
      return "A batch of \(batch) has no row for each of the \(steps) simulated steps. Use a "
        + "batch of \(steps) or more, or set simulation_steps to \(batch)."
    case .indivisibleGroup(let name, let rows, let count):
      return
        "\(name) has \(rows) rows, which cannot be divided equally among \(count) micro-batches. Choose a batch "
        + "whose groups are multiples of \(count), or another gradient_accumulation_steps."
    }
  }
}
