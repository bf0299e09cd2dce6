import Testing

@testable import Datasets

@Suite struct IDXTests {
  @Test func readsSizesAndElements() throws {
    let array = try IDX(idx([2, 1, 3], [1, 2, 3, 4, 5, 6]), rank: 3, path: "x")
    #expect(array.sizes == [2, 1, 3])
    #expect(array.bytes == [1, 2, 3, 4, 5, 6])
    #expect(try IDX(idx([0, 7], []), rank: 2, path: "x").bytes.isEmpty)
    #expect(try IDX(idx([258], .init(repeating: 0, count: 258)), rank: 1, path: "x").sizes == [258])
  }

  @Test(
    arguments: [
      ([], 1, "0 bytes"),
      ([0, 0, 8], 1, "3 bytes"),
      ([1] + idx([1], [1]).dropFirst(), 1, "the magic number"),
      (idx([1], [1], type: 9), 1, "the magic number"),
      (idx([1], [1], type: 13), 1, "the magic number"),
      (idx([1, 1], [1]), 1, "has 2 axes, 1 are expected"),
      (idx([1], [1]), 3, "has 1 axes, 3 are expected"),
      (Array(idx([1, 1, 1], []).dropLast()), 3, "within its sizes"),
      (idx([2, 2], [1, 2, 3]), 2, "need 4 bytes, it holds 3"),
      (idx([2, 2], [1, 2, 3, 4, 5]), 2, "need 4 bytes, it holds 5"),
      (idx([.max, .max, .max], [1]), 3, "impossible"),
      (idx([.max, .max, 0], [1]), 3, "impossible"),
      (idx([.max, 0, .max], [1]), 3, "need 0 bytes, it holds 1"),
      (idx([1 << 16, 1 << 15, 2], [1]), 3, "at most 2147483648 are read"),
    ] as [([UInt8], Int, String)])
  func refuses(content: [UInt8], rank: Int, word: String) {
    let error = #expect(throws: DatasetError.self) {
      try IDX(content, rank: rank, path: "the/file")
    }
    guard case .damagedIDX(path: "the/file", let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.contains(word), "\(reason)")
  }

  @Test func readsAGZipFile() throws {
    try withFolder { folder in
      let path = folder + "/x.gz"
      try write(gzip(idx([2], [5])) + gzip([6]), to: path)
      #expect(try IDX(gzip: path, rank: 1).bytes == [5, 6])
    }
  }

  /// A file that unpacks to much more than its sizes say.
  @Test(
    arguments: [
      (idx([2], [UInt8](repeating: 0, count: 50_000)), "more than the 10 bytes"),
      (idx([2], [1]), "need 2 bytes, it holds 1"), ([0, 0, 8, 1], "within its sizes"),
      (idx([.max], []), "at most"), (Array("some longer text".utf8), "the magic number"),
    ] as [([UInt8], String)])
  func refusesAGZipFile(content: [UInt8], word: String) throws {
    try withFolder { folder in
      let path = folder + "/x.gz"
      try write(gzip(content), to: path)
      let error = #expect(throws: DatasetError.self) { try IDX(gzip: path, rank: 1) }
      #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
    }
  }
}
