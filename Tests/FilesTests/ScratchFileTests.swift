import Foundation
import Testing

@testable import Files

@Suite struct ScratchFileTests {
  @Test func keepsWhatIsAppendedAndLeavesNothing() throws {
    let folder = NSTemporaryDirectory() + "twinflow-scratch-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let file = try ScratchFile(in: folder)
    #expect(try namesInFolder(folder).isEmpty)
    let parts: [[UInt8]] = [[1, 2, 3], [], [UInt8](repeating: 7, count: 100_000), [9]]
    let places = try parts.map { try file.append($0) }
    #expect(places == [0..<3, 3..<3, 3..<100_003, 100_003..<100_004])
    for (place, part) in zip(places, parts) { #expect(try file.bytes(place) == part) }
    #expect(try file.bytes(1..<4) == [2, 3, 7])
    #expect(throws: FileError.self) { try file.bytes(100_000..<100_005) }
    #expect(throws: FileError.self) { try ScratchFile(in: folder + "/none") }
  }
}
