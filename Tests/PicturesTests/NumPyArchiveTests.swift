import Files
import Foundation
import Testing

@testable import Pictures

/// Archives of NumPy's arrays.
@Suite final class NumPyArchiveTests {
  private let folder = NSTemporaryDirectory() + "twinflow-npz-" + UUID().uuidString

  init() throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  private struct Failure: Error {}

  /// The uncompressed content of the entries of a zip archive, by its central directory.
  private func entries(_ path: String) throws -> [String: [UInt8]] {
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    func number(_ place: Int, _ count: Int) -> Int {
      (0..<count).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
    }
    let end = try #require(
      (0...bytes.count - 22).last { Array(bytes[$0..<$0 + 4]) == [0x50, 0x4B, 5, 6] })
    var (place, found) = (number(end + 16, 4), [String: [UInt8]]())
    for _ in 0..<number(end + 10, 2) {
      #expect(Array(bytes[place..<place + 4]) == [0x50, 0x4B, 1, 2])
      #expect(number(place + 10, 2) == 0, "the entry is compressed")
      let (size, name) = (number(place + 24, 4), number(place + 28, 2))
      let local = number(place + 42, 4)
      let start = local + 30 + number(local + 26, 2) + number(local + 28, 2)
      let text = String(decoding: bytes[place + 46..<place + 46 + name], as: UTF8.self)
      found[text] = Array(bytes[start..<start + size])
      place += 46 + name + number(place + 30, 2) + number(place + 32, 2)
    }
    return found
  }

  @Test func arraysAreAsNumPyHasThem() throws {
    let path = "\(folder)/a.npz"
    let archive = try NumPyArchive(path)
    try archive.write("arr_0", .uint8, shape: [2, 1, 3]) { write in
      for part in [[1, 2], [3, 4, 5, 6]] as [[UInt8]] { try part.withUnsafeBytes(write) }
    }
    try archive.write("arr_1", .int64, shape: [2]) { write in
      try [Int64(7), -1].withUnsafeBytes(write)
    }
    #expect(!FileManager.default.fileExists(atPath: path))
    try archive.finish()
    let found = try entries(path)
    #expect(Set(found.keys) == ["arr_0.npy", "arr_1.npy"])
    let first = try #require(found["arr_0.npy"])
    #expect(Array(first[..<8]) == [0x93] + "NUMPY".utf8 + [1, 0])
    let length = Int(first[8]) | Int(first[9]) << 8
    #expect((10 + length) % 64 == 0 && first[9 + length] == UInt8(ascii: "\n"))
    let header = String(decoding: first[10..<10 + length], as: UTF8.self)
    #expect(header.hasPrefix("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, 3), }"))
    #expect(Array(first[(10 + length)...]) == [1, 2, 3, 4, 5, 6])
    let second = try #require(found["arr_1.npy"])
    #expect(String(decoding: second, as: UTF8.self).contains("'<i8'"))
    #expect(String(decoding: second, as: UTF8.self).contains("(2,)"))
    #expect(
      Array(second.suffix(16)) == [7, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 255, count: 8))
    // It may be replaced by another one, and nothing else may.
    try FileKind.npz.checkReplaceable(path)
    #expect(throws: FileError.self) { try FileKind.png.checkReplaceable(path) }
  }

  @Test func nothingIsLeftOfAnArchiveThatFails() throws {
    let path = "\(folder)/b.npz"
    #expect(throws: Failure.self) {
      let archive = try NumPyArchive(path)
      try archive.write("arr_0", .uint8, shape: [2]) { _ in throw Failure() }
      try archive.finish()
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    try Data("mine".utf8).write(to: URL(fileURLWithPath: path))
    #expect(throws: FileError.self) { try NumPyArchive(path) }
  }
}
