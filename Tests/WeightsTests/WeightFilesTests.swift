import Runtime
import Files
import Foundation
import Tensors
import Testing

@testable import Weights

@Suite struct WeightFilesTests {
  private static let types = Named<TensorType>([
    ("a", TensorType([3], .bfloat16)), ("b", TensorType([2, 2], .float32)),
    ("c", TensorType([5], .float32)), ("d", TensorType([1], .int8)),
  ])

  private static func bytes(_ name: String) -> [UInt8] {
    let first = Array(name.utf8)[0]
    return (0..<types[name]!.byteCount).map { first &+ UInt8($0) }
  }

  private func write(_ path: String, largest: Int, _ metadata: [String: String] = [:]) throws {
    try WeightFiles.write(
      Self.types, metadata: metadata, to: path, largest: largest, bytes: Self.bytes)
  }

  private func expectWhole(_ files: WeightFiles, location: SourceLocation = #_sourceLocation) {
    #expect(Set(files.types.names) == Set(Self.types.names), sourceLocation: location)
    for name in Self.types.names {
      let found = files.mapped(name).map { mapped in
        withExtendedLifetime(mapped.owner) { Array(mapped.bytes) }
      }
      #expect(found == Self.bytes(name), sourceLocation: location)
      #expect(files.types[name] == Self.types[name], sourceLocation: location)
    }
    #expect(files.mapped("none") == nil)
  }

  private func names(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }

  /// 6 + 16 + 20 + 1 bytes in files of at most so many.
  @Test(arguments: [(1000, 1), (42, 2), (21, 3), (1, 4)])
  func splitsAndReadsBack(largest: Int, count: Int) throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try write(path, largest: largest, ["kind": "test"])
      let expected =
        count == 1
        ? ["w.safetensors"]
        : (1...count).map { "w-0000\($0)-of-0000\(count).safetensors" }
          + ["w.safetensors.index.json"]
      #expect(try names(in: folder) == expected)
      #expect(WeightFiles.exist(at: path))
      for place in [path, folder, "\(folder)/\(expected.last!)"] {
        let files = try WeightFiles(path: place)
        expectWhole(files)
        #expect(files.metadata["kind"] == "test")
      }
    }
  }

  @Test func oneFormReplacesTheOther() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      for largest in [1000, 30, 1000] {
        try write(path, largest: largest)
        expectWhole(try WeightFiles(path: path))
      }
      #expect(!(try names(in: folder)).contains("w.safetensors.index.json"))
    }
  }

  @Test func widerElementsComeFirst() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try write(path, largest: 1000)
      #expect(try SafeTensors(path: path).types.names == ["b", "c", "a", "d"])
    }
  }

  @Test func aFailureLeavesWhatWasThere() throws {
    struct Fault: Error {}
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try write(path, largest: 21)
      let before = try names(in: folder)
      #expect(throws: Fault.self) {
        try WeightFiles.write(Self.types, to: path, largest: 21) { name in
          if name == "d" { throw Fault() }
          return [UInt8](repeating: 0, count: Self.types[name]!.byteCount)
        }
      }
      #expect(try names(in: folder) == before)
      expectWhole(try WeightFiles(path: path))
    }
  }

  @Test func aFolderNamesOneWhole() throws {
    try withFolder { folder in
      let none = #expect(throws: FileError.self) { try WeightFiles(path: folder) }
      #expect(none?.description.contains("no safetensors file") == true)
      for name in ["a", "b"] { try write("\(folder)/\(name).safetensors", largest: 1000) }
      let two = #expect(throws: FileError.self) { try WeightFiles(path: folder) }
      #expect(two?.description.contains("a.safetensors, b.safetensors") == true)
    }
  }

  /// Two processes with two devices each write one array together, and both read it.
  @Test func processesWriteTogether() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      let mesh = Mesh(data: 1, fsdp: 2, tensor: 2)
      let client = try Client(Plugin.load(), options: ["cpu_device_count": 4])
      let type = TensorType([4, 6], .float32)
      let values = (0..<24).map { Float($0) }
      let sharding = Sharding([.embed, .hidden])
      func own(_ rank: Int, _ sharding: Sharding) throws -> ShardedArray {
        let all = try ShardedArray(values, shape: type.shape, sharding, over: mesh, on: client)
        return ShardedArray(type, sharding, mesh, places: [2 * rank, 2 * rank + 1]) { _, place in
          all.shards[place].buffer
        }
      }
      let arrays = try (0..<2).map {
        Named([("split", try own($0, sharding)), ("whole", try own($0, .replicated))])
      }
      #expect(throws: ShardingError.self) { try arrays[1]["split"]!.bytes() }
      #expect(try arrays[1]["whole"]!.array() == values)
      // The last time the files take the places of those of the same names.
      for stamp in ["one", "two", "two"] {
        // The first process writes the index, last.
        try WeightFiles.write(
          parts: arrays[1], to: path, stamp: stamp, mesh: mesh, by: Writers(rank: 1))
        #expect(try names(in: folder).contains("w.safetensors.index.json") == (stamp == "two"))
        try WeightFiles.write(
          parts: arrays[0], metadata: ["kind": stamp], to: path, stamp: stamp, mesh: mesh)
      }
      let found = try names(in: folder)
      #expect(found.count == 5 && !found.contains { $0.contains("one") }, "\(found)")
      let files = try WeightFiles(path: path)
      #expect(files.types["split"] == type && files.metadata["kind"] == "two")
      let region = Region(start: [1, 2], sizes: [3, 2])
      let bytes = files.bytes("split", region)
      let part = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
      #expect(part == [8, 9, 14, 15, 20, 21])
      #expect(files.mapped("split") == nil && files.mapped("whole") != nil)
    }
  }
}
