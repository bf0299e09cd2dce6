import Files
import Testing

@testable import Datasets

@Suite struct GZipTests {
  private func contents(_ bytes: [UInt8]) throws -> [UInt8] {
    try withFolder { folder in
      try write(bytes, to: folder + "/x.gz")
      return try GZip.contents(of: folder + "/x.gz")
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

  @Test(arguments: [[UInt8(0)], gzip([1])]) func refusesWhatFollows(rest: [UInt8]) {
    #expect(damage(gzip([1, 2]) + rest) == "\(rest.count) bytes follow its end")
  }

  @Test func refusesAnotherFormat() {
    #expect(damage(Array("plain text".utf8)) != nil)
  }

  @Test func saysWhatIsMissing() {
    #expect(throws: DatasetError.missing(path: "/nowhere/x.gz", package: "p")) {
      try GZip.contents(of: "/nowhere/x.gz", package: "p")
    }
    #expect(throws: FileError.self) { try GZip.contents(of: "/") }
  }
}
