import Foundation
import Runtime
import Tensors
import Testing

@testable import Weights

@Suite struct TorchFileTests {
  /// Files that PyTorch 2.13 saved with `_use_new_zipfile_serialization=False`.
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appending(path: "../Fixtures/torch").path

  @Test func arraysAreRead() throws {
    let file = try WeightFiles(path: Self.folder + "/old.pth")
    #expect(file.types["a.weight"] == TensorType([3, 4], .float32))
    #expect(file.types["a.half"] == TensorType([5], .float16))
    #expect(file.types["count"] == TensorType([], .int64))
    #expect(file.types["view"] == TensorType([2, 2], .float64))
    let weight = file.bytes("a.weight", Region(whole: [3, 4])).withUnsafeBytes {
      Array($0.bindMemory(to: Float.self))
    }
    #expect(weight == (0..<12).map(Float.init))
    let view = file.bytes("view", Region(whole: [2, 2])).withUnsafeBytes {
      Array($0.bindMemory(to: Double.self))
    }
    #expect(view == [4, 5, 6, 7])
    let parameter = file.bytes("parameter", Region(whole: [2])).withUnsafeBytes {
      Array($0.bindMemory(to: Float.self))
    }
    #expect(parameter == [-1.5, -1.5])
  }

  @Test func whatIsNotReadIsSaid() throws {
    let path = Self.folder + "/transposed.pth"
    #expect(
      throws: WeightsError.damaged(
        path: path, reason: "the numbers of a are not in the order of its axes")
    ) { try WeightFiles(path: path) }
  }

  /// Every byte that is missing or changed is an error or another number, and never a crash.
  @Test func damagedFilesAreErrors() throws {
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: Self.folder + "/old.pth")))
    let path = FileManager.default.temporaryDirectory.path + "/torch-\(UUID().uuidString).pth"
    defer { try? FileManager.default.removeItem(atPath: path) }
    for count in stride(from: 12, to: bytes.count, by: 7) {
      try Data(bytes[..<count]).write(to: URL(fileURLWithPath: path))
      #expect(throws: WeightsError.self) { try WeightFiles(path: path) }
    }
    for place in stride(from: 12, to: bytes.count, by: 5) {
      var changed = bytes
      changed[place] ^= 0xFF
      try Data(changed).write(to: URL(fileURLWithPath: path))
      _ = try? WeightFiles(path: path)
    }
  }
}
