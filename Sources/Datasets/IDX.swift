/// An array of bytes in the IDX format of the MNIST family: a type, the sizes, the elements.
struct IDX: Equatable {
  /// The size of each axis.
  let sizes: [Int]
  /// The elements, row-major.
  let bytes: [UInt8]

  /// Reads a file's content.
  ///
  /// - Parameters:
  ///   - rank: the number of axes that the array must have.
  ///   - path: what messages call the file.
  /// - Throws: `DatasetError.damagedIDX` for anything but a whole array of bytes.
  init(_ content: [UInt8], rank: Int, path: String) throws(DatasetError) {
    func fail(_ reason: String) -> DatasetError { .damagedIDX(path: path, reason: reason) }
    guard content.count >= 4 else { throw fail("it has \(content.count) bytes") }
    guard content[0] == 0, content[1] == 0, content[2] == 8 else {
      throw fail("it does not begin with the mark of an array of bytes")
    }
    guard Int(content[3]) == rank else {
      throw fail("its array has \(content[3]) axes, \(rank) are expected")
    }
    let header = 4 + 4 * rank
    guard content.count >= header else { throw fail("it ends within its sizes") }
    sizes = (0..<rank).map { axis in
      content[(4 + 4 * axis)..<(8 + 4 * axis)].reduce(0) { $0 << 8 | Int($1) }
    }
    var count = 1
    for size in sizes {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow else { throw fail("its sizes \(sizes) are impossible") }
      count = product
    }
    guard content.count - header == count else {
      throw fail("its sizes \(sizes) need \(count) bytes, it holds \(content.count - header)")
    }
    bytes = Array(content[header...])
  }
}
