/// How much pictures of the same prompt differ: the mean of 1 − cosine over the pairs of a prompt's
/// pictures, averaged over prompts.
public struct Diversity: Sendable, Equatable {
  /// The diversity of each prompt that has several pictures, by the prompt's number.
  public let perPrompt: [Int: Double]

  /// The mean over the prompts; nil where none has several pictures.
  public var mean: Double? {
    guard !perPrompt.isEmpty else { return nil }
    return perPrompt.sorted { $0.key < $1.key }.reduce(0) { $0 + $1.value }
      / Double(perPrompt.count)
  }

  /// Measures pictures.
  ///
  /// - Parameter prompts: the number of each picture's prompt.
  public init(_ features: FeatureSet, prompts: [Int]) {
    precondition(prompts.count == features.count, "each picture has a prompt")
    let groups = Dictionary(grouping: prompts.indices) { prompts[$0] }.filter { $0.value.count > 1 }
    perPrompt = groups.mapValues { features.chosen($0).meanDistance! }
  }
}

extension FeatureSet {
  /// The mean of 1 − cosine over all pairs; nil for fewer than two vectors. A vector without a direction
  /// has no cosine, and counts as unlike all others.
  var meanDistance: Double? {
    guard count > 1 else { return nil }
    // |Σ v|² is the sum over all pairs in both orders and that of each vector with itself.
    var (sum, own) = ([Double](repeating: 0, count: width), 0.0)
    for number in 0..<count {
      let vector = self[number].map(Double.init)
      let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
      guard norm > 0 else { continue }
      for (index, value) in vector.enumerated() { sum[index] += value / norm }
      own += 1
    }
    let products = sum.reduce(0) { $0 + $1 * $1 } - own
    return 1 - products / (Double(count) * Double(count - 1))
  }
}
