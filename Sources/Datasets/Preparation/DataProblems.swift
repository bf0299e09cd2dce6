/// What is wrong with the rows of a data set: the first problems, and their number.
public struct DataProblems: Sendable {
  /// The most problems that are kept; others are only counted.
  public static let most = 20

  /// The first problems.
  public private(set) var first: [DatasetError] = []
  /// The number of problems.
  public private(set) var count = 0

  /// Notes a problem, which is only made where it is kept.
  mutating func add(_ problem: @autoclosure () -> DatasetError) {
    count += 1
    if first.count < Self.most { first.append(problem()) }
  }

  /// Throws where there is a problem.
  ///
  /// - Throws: the problem, with the number of the others.
  func check() throws(DatasetError) {
    guard let problem = first.first else { return }
    throw count == 1 ? problem : .several(first: problem.description, others: count - 1)
  }
}
