extension Array {
  /// What a function finds for each element, a batch at a time.
  ///
  /// A last, smaller batch is filled up to a power of two with its first element, whose further results are
  /// dropped, so that any number of elements needs few compiled programs.
  ///
  /// - Parameters:
  ///   - largest: the elements of a batch, a power of two.
  ///   - find: the results for the elements of a batch, one each.
  func inFilledBatches<Result>(
    of largest: Int, _ find: ([Element]) throws -> [Result]
  ) rethrows -> [Result] {
    var found: [Result] = []
    while found.count < count {
      let part = self[found.count...].prefix(largest)
      var size = 1
      while size < part.count { size *= 2 }
      let missing = repeatElement(part[part.startIndex], count: size - part.count)
      found += try find(Array(part) + missing).prefix(part.count)
    }
    return found
  }
}
