/// The damaged pictures of a data set, which are named and left out, up to a limit.
public struct DamagedPictures: Sendable {
  /// What is wrong with each of them.
  public private(set) var reasons: [String] = []
  private let path: String
  private let limit: Int

  /// Counts the damaged pictures of a data set.
  ///
  /// - Parameters:
  ///   - path: the folder or file of the data set.
  ///   - limit: the most damaged pictures that are left out.
  public init(of path: String, limit: Int) { (self.path, self.limit) = (path, limit) }

  /// Notes a damaged picture.
  ///
  /// - Parameter reason: the error, which names the picture.
  /// - Returns: a sentence for the user; nil for an error that is known, as of another version of a picture.
  /// - Throws: `DatasetError.tooManyDamaged` beyond the limit.
  public mutating func add(_ reason: some Error) throws(DatasetError) -> String? {
    guard !reasons.contains("\(reason)") else { return nil }
    reasons.append("\(reason)")
    guard reasons.count <= limit else {
      throw .tooManyDamaged(
        path: path, count: reasons.count, limit: limit, last: reasons.last ?? "")
    }
    return "Left out: \(reason)"
  }
}
