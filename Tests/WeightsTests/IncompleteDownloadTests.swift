import Foundation
import Layers
import Tensors
import Testing

@testable import Weights

/// What a download leaves that was cut short or refused: one line says what is wrong and what to do.
@Suite struct IncompleteDownloadTests {
  static let contents: [(text: String, hint: String)] = [
    (
      "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9973693184\n",
      "Git LFS pointer"
    ),
    ("<!DOCTYPE html><html><body>Access to this model is restricted</body></html>", "a web page"),
    ("\n  <html>\n<head><title>404</title></head></html>", "a web page"),
    (#"{"error":"Repository not found"}"#, "message of a server"),
    ("PK\u{3}\u{4}\u{0}\u{0}archive/data.pkl", "an archive of PyTorch's that cannot be read"),
  ]

  @Test(arguments: contents, ["safetensors", "gguf"])
  func whatIsInPlaceOfWeightsIsNamed(content: (text: String, hint: String), ending: String) throws {
    try withFolder { folder in
      let path = "\(folder)/model.\(ending)"
      try Data(content.text.utf8).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: WeightsError.self) { try WeightFiles(path: path) }
      let text = try #require(error?.description)
      #expect(text.contains(content.hint) && text.hasPrefix(path), "\(text)")
      #expect(!text.contains("\n") && text.contains("Download"))
    }
  }

  /// A shard and an index beside it.
  private func withShards(_ body: (_ folder: String, _ shards: [String]) throws -> Void) throws {
    try withFolder { folder in
      let shards = (1...3).map { "model-0000\($0)-of-00003.safetensors" }
      var map: [String: String] = [:]
      for (i, shard) in shards.enumerated() {
        let bytes = [UInt8](repeating: UInt8(i), count: 4096)
        try write(
          Named([("x\(i)", (type: TensorType([1024], .float32), bytes: bytes))]),
          to: "\(folder)/\(shard)")
        map["x\(i)"] = shard
      }
      let json = try JSONSerialization.data(withJSONObject: ["weight_map": map])
      try json.write(to: URL(fileURLWithPath: folder + "/model.safetensors.index.json"))
      #expect(try WeightFiles(path: folder).types.count == 3)
      try body(folder, shards)
    }
  }

  @Test func missingShardsAreNamedTogether() throws {
    try withShards { folder, shards in
      for shard in shards.dropFirst() {
        try FileManager.default.removeItem(atPath: "\(folder)/\(shard)")
      }
      let index = folder + "/model.safetensors.index.json"
      #expect(throws: WeightsError.missingFiles(path: index, files: Array(shards.dropFirst()))) {
        try WeightFiles(path: folder)
      }
    }
  }

  @Test func aMissingIndexIsNamed() throws {
    try withShards { folder, _ in
      try FileManager.default.removeItem(atPath: folder + "/model.safetensors.index.json")
      let error = #expect(throws: WeightsError.self) { try WeightFiles(path: folder) }
      #expect(error == .missingFiles(path: folder, files: ["model.safetensors.index.json"]))
    }
  }

  @Test(arguments: [1, 1000, 4096]) func aShardThatWasCutShortSaysHowMuchIsMissing(
    missing: Int
  ) throws {
    try withShards { folder, shards in
      let path = "\(folder)/\(shards[1])"
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      let size = try handle.seekToEnd()
      try handle.truncate(atOffset: size - UInt64(missing))
      try handle.close()
      let error = #expect(throws: WeightsError.self) { try WeightFiles(path: folder) }
      let text = try #require(error?.description)
      #expect(text.contains("take 4096 bytes"), "\(text)")
      #expect(text.contains("the last \(missing) are not there"), "\(text)")
      #expect(text.contains(shards[1]) && !text.contains("\n"))
    }
  }

  /// Hundreds of names that are all wrong are reported at once, with the nearest of the first.
  @Test func manyWrongNamesHaveTheNearestOfTheFirst() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      let one = (type: TensorType([1], .float32), bytes: [UInt8](repeating: 0, count: 4))
      let long = String(repeating: "block.", count: 12)
      try write(Named((0..<600).map { ("\(long)other.\($0)", one) }), to: path)
      let specs = Named(
        (0..<600).map { ("\(long)othr.\($0)", ParameterSpec(shape: [1], initializer: .zeros)) })
      let error = #expect(throws: WeightsError.self) {
        try WeightLoader.storage(specs, in: WeightFiles(path: path))
      }
      let text = try #require(error?.description)
      #expect(text.contains("\(long)othr.0 is missing (the file has \(long)other.0)"), "\(text)")
    }
  }
}
