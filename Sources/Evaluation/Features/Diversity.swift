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
    perPrompt = groups.mapValues { numbers in
      let vectors = numbers.map { features[$0].map(Double.init) }
      let norms = vectors.map { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() }
      var (sum, pairs) = (0.0, 0)
      for i in vectors.indices {
        for j in vectors.indices where j > i {
          let product = zip(vectors[i], vectors[j]).reduce(0) { $0 + $1.0 * $1.1 }
          // Without a direction there is no cosine: such vectors count as unlike.
          let scale = norms[i] * norms[j]
          sum += 1 - (scale > 0 ? product / scale : 0)
          pairs += 1
        }
      }
      return sum / Double(pairs)
    }
  }
}
