/// A node of a regular expression.
indirect enum PatternNode {
  case set(ScalarSet)
  case sequence([PatternNode])
  case choice([PatternNode])
  case repetition(PatternNode, ClosedRange<Int>, Greed)
  case look(PatternNode, ahead: Bool, negative: Bool)
  case atomic(PatternNode)
  case assertion(Assertion)

  /// How often a repetition repeats first, and whether it gives back.
  enum Greed { case greedy, lazy, possessive }
  enum Assertion { case textStart, textEnd, lineStart, lineEnd }

  /// The fewest and the most characters that match.
  var lengths: ClosedRange<Int> {
    switch self {
    case .set: 1...1
    case .sequence(let nodes):
      nodes.reduce(0...0) { sum, node in
        let lengths = node.lengths
        return sum.lowerBound + lengths.lowerBound...sum.upperBound.adding(lengths.upperBound)
      }
    case .choice(let nodes):
      nodes.map(\.lengths.lowerBound).min()!...nodes.map(\.lengths.upperBound).max()!
    case .repetition(let node, let count, _):
      node.lengths.lowerBound.times(
        count.lowerBound)...node.lengths.upperBound.times(
          count.upperBound)
    case .look, .assertion: 0...0
    case .atomic(let node): node.lengths
    }
  }
}

extension Int {
  fileprivate func adding(_ other: Int) -> Int {
    let (sum, overflows) = addingReportingOverflow(other)
    return overflows ? .max : sum
  }

  fileprivate func times(_ other: Int) -> Int {
    let (product, overflows) = multipliedReportingOverflow(by: other)
    return overflows ? .max : product
  }
}
