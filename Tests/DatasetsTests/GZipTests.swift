import Files
import Testing

@testable import Datasets

@Suite struct GZipTests {
  private func contents(
    _ bytes: [UInt8], piece: Int = 1 << 20, bound: ([UInt8]) throws -> Int? = { _ in nil }
  ) throws -> [UInt8] {
    try withFolder { folder in
      try write(bytes, to: folder + "/x.gz")
      return try GZip.contents(of: folder + "/x.gz", piece: piece, bound: bound)
    }
  }

  /// What is wrong with a file by `DatasetError.damagedGZip`.
  private func damage(_ bytes: [UInt8]) -> String? {
    do {
      _ = try contents(bytes)
    } catch DatasetError.damagedGZip(_, let reason) {
      return reason
    } catch {
      return nil
    }
    return nil
  }

  /// Sizes about that of one piece of the reader's; noise cannot be compressed.
  @Test(arguments: [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_000], [false, true])
  func readsBack(count: Int, noise: Bool) throws {
    var generator = SplitMix64(1)
    let bytes = (0..<count).map { _ in
      noise ? UInt8(truncatingIfNeeded: generator.next()) : 7
    }
    #expect(try contents(gzip(bytes)) == bytes)
  }

  @Test func refusesEveryTruncation() {
    let whole = gzip(Array("what is cut short is not whole".utf8))
    for count in whole.indices {
      #expect(damage(Array(whole[..<count]))?.contains("too early") == true, "\(count) bytes")
    }
  }

  /// The header's bytes that say nothing about the content (time, level, system) may change.
  @Test func refusesEveryChangedByte() {
    let whole = gzip(Array("what is changed is not whole".utf8))
    for place in whole.indices where !(4..<10).contains(place) {
      var changed = whole
      changed[place] ^= 0x55
      #expect(damage(changed) != nil, "byte \(place)")
    }
  }

  /// Members follow each other; what lies in them is one text.
  @Test(arguments: [1, 2, 7, 1 << 20]) func readsEveryMember(piece: Int) throws {
    let members: [[UInt8]] = [[1, 2, 3], [], Array(repeating: 9, count: 5000), [4]]
    #expect(try contents(members.flatMap { gzip($0) }, piece: piece) == members.flatMap { $0 })
  }

  @Test(arguments: [1, 2, 511, 100_000]) func zerosMayFillUpTheEnd(count: Int) throws {
    let zeros = [UInt8](repeating: 0, count: count)
    #expect(try contents(gzip([1, 2]) + gzip([3]) + zeros) == [1, 2, 3])
  }

  @Test(
    arguments: [
      ([0, 0, 1], "3 bytes follow its end"), ([1], "1 bytes follow its end"),
      ([0x1F], "1 bytes follow its end"), ([0x1F, 0x8B], "too early"),
      ([0] + gzip([1]), "bytes follow its end"), (gzip([1]).dropLast(), "too early"),
      (Array("text".utf8), "4 bytes follow its end"),
    ] as [([UInt8], String)])
  func refusesWhatFollows(rest: [UInt8], word: String) {
    let reason = damage(gzip([1, 2]) + rest)
    #expect(reason?.contains(word) == true, "\(reason ?? "nothing")")
  }

  /// What unpacks to more than it should is not unpacked to its end.
  @Test func stopsAtTheBound() throws {
    let packed = gzip([UInt8](repeating: 7, count: 100_000))
    var longest = 0
    let error = #expect(throws: DatasetError.self) {
      try contents(packed, piece: 1000) { content in
        longest = max(longest, content.count)
        return content.count < 5000 ? nil : 9000
      }
    }
    #expect(longest == 5000)
    #expect(error?.description.contains("more than the 9000 bytes") == true)
    #expect(try contents(packed) { _ in 100_000 }.count == 100_000)
  }

  @Test func refusesAnotherFormat() {
    #expect(damage(Array("plain text".utf8)) != nil)
  }

  @Test func saysWhatIsMissing() {
    #expect(throws: DatasetError.missing(path: "/nowhere/x.gz", package: "p")) {
      try GZip.contents(of: "/nowhere/x.gz", package: "p") { _ in nil }
    }
    #expect(throws: FileError.self) { try GZip.contents(of: "/") { _ in nil } }
  }
}
