import Models
import Pipelines

/// Counts the tokens of texts.
struct TokenCounter {
  private let pipeline: ImagePipeline
  private let grids: [TokenGrid]
  /// The number of texts that are cut.
  private(set) var cuts = 0
  /// What is said of the first of them.
  private(set) var firstCut: String?

  init(_ pipeline: ImagePipeline, _ grids: [TokenGrid]) {
    (self.pipeline, self.grids) = (pipeline, grids)
  }

  mutating func count(_ prompt: String) throws -> Int {
    var cut: String?
    let tokens = try pipeline.tokens([prompt], grids: grids) { cut = $0 }
    if let cut {
      cuts += 1
      firstCut = firstCut ?? cut
    }
    return tokens.keptCounts[0]
  }
}
