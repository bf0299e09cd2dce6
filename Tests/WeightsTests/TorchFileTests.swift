import Foundation
import Runtime
import Tensors
import Testing

@testable import Weights

@Suite struct TorchFileTests {
  /// Files that PyTorch 2.13 saved with `_use_new_zipfile_serialization=False`.
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appending(path: "../Fixtures/torch").path

  /// Also archives, as PyTorch 2.13 saves by default, and by a later protocol.
  @Test(arguments: ["old.pth", "archive.pt", "archive-protocol-4.pt"])
  func arraysAreRead(_ name: String) throws {
    let file = try WeightFiles(path: "\(Self.folder)/\(name)")
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

  @Test func arraysOfArchivesAreReordered() throws {
    let file = try WeightFiles(path: Self.folder + "/archive.pt")
    #expect(file.types["turned"] == TensorType([3, 2], .float32))
    let turned = file.bytes("turned", Region(whole: [3, 2])).withUnsafeBytes {
      Array($0.bindMemory(to: Float.self))
    }
    #expect(turned == [0, 3, 1, 4, 2, 5])
  }

  /// Of a training program's file the averaged weights are read, not the optimizer's state.
  @Test func theWeightsOfATrainingAreRead() throws {
    let file = try WeightFiles(path: Self.folder + "/training.pt")
    #expect(file.types == Named([("x", TensorType([3], .float32))]))
    let values = file.bytes("x", Region(whole: [3])).withUnsafeBytes {
      Array($0.bindMemory(to: Float.self))
    }
    #expect(values == [1, 1, 1])
  }

  /// What Python would run is named, and refused.
  @Test func codeIsRefused() throws {
    for (name, hint) in [
      ("code.pt", "argparse.Namespace"), ("no-arrays.pt", "its dictionaries are a"),
      ("script.pt", "TorchScript"),
    ] {
      let error = #expect(throws: WeightsError.self) {
        try WeightFiles(path: "\(Self.folder)/\(name)")
      }
      #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
    }
  }

  /// As in weights that were converted from TensorFlow's.
  @Test func axesInAnotherOrderAreReordered() throws {
    func values(_ name: String, of file: String, _ shape: Shape) throws -> [Float] {
      let file = try WeightFiles(path: "\(Self.folder)/\(file)")
      #expect(file.types[name] == TensorType(shape, .float32))
      // Memory that a file can be read into again is given back in between.
      let (bytes, owner) = try #require(file.mapped(name))
      owner.release(bytes)
      return file.bytes(name, Region(whole: shape)).withUnsafeBytes {
        Array($0.bindMemory(to: Float.self))
      }
    }
    #expect(try values("a", of: "transposed.pth", [3, 2]) == [0, 3, 1, 4, 2, 5])
    // From [2, 3, 2, 2] by the axes 3, 2, 0, 1.
    let moved = (0..<24).map { index -> Float in
      let (a, b, c, d) = (index / 12, index / 6 % 2, index / 3 % 2, index % 3)
      return Float(((c * 3 + d) * 2 + b) * 2 + a)
    }
    #expect(try values("b", of: "permuted.pth", [2, 2, 2, 3]) == moved)
    #expect(try values("c", of: "permuted.pth", [2, 1, 3]) == (0..<6).map(Float.init))
  }

  @Test func whatIsNotReadIsSaid() throws {
    let path = Self.folder + "/gaps.pth"
    #expect(
      throws: WeightsError.damaged(
        path: path, reason: "the numbers of a are not stored one after the other")
    ) { try WeightFiles(path: path) }
  }

  /// Every byte that is missing or changed is an error or another number, and never a crash.
  @Test(arguments: ["old.pth", "archive.pt"]) func damagedFilesAreErrors(_ name: String) throws {
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(Self.folder)/\(name)")))
    let path = FileManager.default.temporaryDirectory.path + "/torch-\(UUID().uuidString).pth"
    defer { try? FileManager.default.removeItem(atPath: path) }
    for count in stride(from: 12, to: bytes.count - 1, by: 7) {
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
