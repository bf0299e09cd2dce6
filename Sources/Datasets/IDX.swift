/// An array of bytes in the IDX format of MNIST: a type, the sizes, the elements.
struct IDX: Equatable {
  /// The size of each axis.
  let sizes: [Int]
  /// The elements, row-major.
  let bytes: [UInt8]

  /// The most elements that are read, 2 GiB.
  static let largest = 2 << 30

  /// Reads a gzip file.
  ///
  /// - Parameters:
  ///   - rank: the number of axes that the array must have.
  ///   - package: the package that a missing file comes with.
  /// - Throws: `DatasetError`, `FileError.unreadable`.
  init(gzip path: String, rank: Int, package: String? = nil) throws {
    let content = try GZip.contents(of: path, package: package) { content in
      // Truncated files are reported later.
      let count = Self.headerCount(rank)
      guard content.count >= count else { return nil }
      return count + (try Self.sizes(content, rank: rank, path: path).count)
    }
    try self.init(content, rank: rank, path: path)
  }

  /// Reads a file's content.
  ///
  /// - Parameters:
  ///   - rank: the number of axes that the array must have.
  ///   - path: the file's path in messages.
  /// - Throws: `DatasetError.damagedIDX` for anything but a complete array of bytes.
  init(_ content: [UInt8], rank: Int, path: String) throws(DatasetError) {
    let count: Int
    (sizes, count) = try Self.sizes(content, rank: rank, path: path)
    let header = Self.headerCount(rank)
    guard content.count - header == count else {
      throw .damagedIDX(
        path: path,
        reason: "its sizes \(sizes) need \(count) bytes, it holds \(content.count - header)")
    }
    bytes = Array(content[header...])
  }

  private static func headerCount(_ rank: Int) -> Int { 4 + 4 * rank }

  /// The sizes in the header, and the number of elements.
  private static func sizes(
    _ content: [UInt8], rank: Int, path: String
  ) throws(DatasetError) -> (sizes: [Int], count: Int) {
    func fail(_ reason: String) -> DatasetError { .damagedIDX(path: path, reason: reason) }
    guard content.count >= 4 else { throw fail("it has \(content.count) bytes") }
    guard content[0] == 0, content[1] == 0, content[2] == 8 else {
      throw fail("it does not begin with the magic number of an array of bytes")
    }
    guard Int(content[3]) == rank else {
      throw fail("its array has \(content[3]) axes, \(rank) are expected")
    }
    guard content.count >= headerCount(rank) else { throw fail("it ends within its sizes") }
    let sizes = (0..<rank).map { axis in
      content[(4 + 4 * axis)..<(8 + 4 * axis)].reduce(0) { $0 << 8 | Int($1) }
    }
    var count = 1
    for size in sizes {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow else { throw fail("its sizes \(sizes) are impossible") }
      count = product
    }
    guard count <= largest else {
      throw fail("its sizes \(sizes) need \(count) bytes, at most \(largest) are read")
    }
    return (sizes, count)
  }
}
