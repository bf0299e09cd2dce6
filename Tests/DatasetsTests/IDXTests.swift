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
      ([1] + idx([1], [1]).dropFirst(), 1, "the mark"),
      (idx([1], [1], type: 9), 1, "the mark"),
      (idx([1], [1], type: 13), 1, "the mark"),
      (idx([1, 1], [1]), 1, "has 2 axes, 1 are expected"),
      (idx([1], [1]), 3, "has 1 axes, 3 are expected"),
      (Array(idx([1, 1, 1], []).dropLast()), 3, "within its sizes"),
      (idx([2, 2], [1, 2, 3]), 2, "need 4 bytes, it holds 3"),
      (idx([2, 2], [1, 2, 3, 4, 5]), 2, "need 4 bytes, it holds 5"),
      (idx([.max, .max, .max], [1]), 3, "impossible"),
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
}
