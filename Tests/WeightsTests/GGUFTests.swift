import Foundation
import Layers
import PJRT
import Runtime
import Tensors
import TestSupport
import Testing

@testable import Weights

@Suite struct GGUFTests {
  /// A file with an array of every type, and the numbers that the Python package gguf reads in it.
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appending(path: "../Fixtures/gguf").path
  static let path = folder + "/blocks.gguf"

  static let quantized = BlockFormat.allCases.filter { $0.blockSize > 1 }

  private static func expected(_ name: String) throws -> [Float] {
    let file = try SafeTensors(path: folder + "/expected.safetensors")
    return try #require(file.copy(name)).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }

  private static func near(_ a: [Float], _ b: [Float], within share: Float) -> Bool {
    let largest = b.map(abs).max() ?? 0
    return a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= share * largest }
  }

  private static func matrix(_ shape: Shape) -> ParameterSpec {
    ParameterSpec(shape: shape, initializer: .zeros, isMatrix: true)
  }

  @Test func headersAreRead() throws {
    let file = try WeightFiles(path: Self.path)
    #expect(file.metadata["general.architecture"] == "qwen_image")
    #expect(file.metadata["test.number"] == "7")
    #expect(file.types["Q4_K.weight"] == TensorType([3, 512], .float32))
    #expect(file.types["BF16.bias"] == TensorType([2, 3, 4], .bfloat16))
    #expect(file.types["reshaped.weight"]?.shape == [4, 16, 8])
    #expect(file.blocks("Q4_K.weight")?.format == .q4_K && file.blocks("F32.bias") == nil)
    #expect(file.storedBytes("Q4_K.weight") == 3 * 2 * 144)
    #expect(file.paths == [Self.path])
  }

  @Test(arguments: quantized) func everyTypeIsDequantized(format: BlockFormat) throws {
    let file = try WeightFiles(path: Self.path)
    let name = format.name + ".weight"
    let expected = try Self.expected(name)
    let whole = file.bytes(name, Region(whole: [3, 512])).withUnsafeBytes {
      Array($0.bindMemory(to: Float.self))
    }
    #expect(Self.near(whole, expected, within: 1e-6))
    // Columns that begin and end within blocks.
    let part = file.bytes(name, Region(start: [1, 37], sizes: [2, 300])).withUnsafeBytes {
      Array($0.bindMemory(to: Float.self))
    }
    let rows = [1, 2].flatMap { whole[$0 * 512 + 37..<$0 * 512 + 337] }
    #expect(part == rows)
  }

  @Test(arguments: ["F32.bias", "F16.bias", "BF16.bias", "reshaped.weight"])
  func otherArraysAreRead(name: String) throws {
    let file = try WeightFiles(path: Self.path)
    let specs = Named([
      ("x", ParameterSpec(shape: file.types[name]!.shape, initializer: .zeros))
    ])
    let read = try WeightLoader(SharedClient.get()).load(
      specs, from: file, names: NameMap([.rename("x", to: name)]), as: { _ in .float32 },
      ignoring: { $0 != name })
    let found = try read["x"]!.array(of: Float.self)
    #expect(Self.near(found, try Self.expected(name), within: 1e-6))
  }

  /// Q4_0 and Q8_0 keep their numbers on the device; the others become bf16.
  @Test(arguments: quantized) func matricesStayAsSmallAsTheyCan(format: BlockFormat) throws {
    let file = try WeightFiles(path: Self.path)
    let name = format.name + ".weight"
    let specs = Named([(name, Self.matrix([3, 512]))])
    let client = try SharedClient.get()
    let storage = try WeightLoader.storage(specs, in: file, ignoring: { $0 != name })[name]!
    let stays: [BlockFormat: WeightStorage] = [.q4_0: .int4, .q8_0: .quantized(.int8Groups)]
    #expect(storage == stays[format] ?? .bfloat16)
    let read = try WeightLoader(client).load(
      specs, from: file, as: { _ in nil }, ignoring: { $0 != name })
    #expect(read.types == specs.arrays { _ in storage }.types)
    let wide = try CompiledFunction(client, read.types) {
      $0.dequantized().mapValues { $0.cast(to: .float32) }
    }(read)
    let found = try wide[name]!.array(of: Float.self)
    let limit: Float = storage == .bfloat16 ? 0x1p-8 : 1e-6
    #expect(Self.near(found, try Self.expected(name), within: limit))
  }

  @Test(arguments: [WeightStorage.int8, .int4], quantized)
  func matricesAreQuantizedAnew(storage: WeightStorage, format: BlockFormat) throws {
    let file = try WeightFiles(path: Self.path)
    let name = format.name + ".weight"
    let client = try SharedClient.get()
    let read = try WeightLoader(client).load(
      Named([(name, Self.matrix([3, 512]))]), from: file, as: { _ in storage },
      ignoring: { $0 != name })
    let wide = try CompiledFunction(client, read.types) { $0.dequantized() }(read)
    let found = try wide[name]!.array(of: Float.self)
    let expected = try Self.expected(name)
    let norm = { (x: [Float]) in x.reduce(0) { $0 + $1 * $1 }.squareRoot() }
    let error = norm(zip(found, expected).map { $0 - $1 }) / norm(expected)
    #expect(error < (storage == .int8 ? 0.03 : 0.15))
  }

  /// The layers of a stack in one type, and in several.
  @Test func stacksAreJoined() throws {
    try withFolder { folder in
      let shape = [2, 64]
      let numbers = (0..<128).map { Float($0 % 15 - 7) / 8 }
      var file = GGUFBytes()
      for layer in 0..<2 {
        file.add("blocks.\(layer).a.weight", shape, .q8_0, GGUFBytes.q8(numbers))
        file.add(
          "blocks.\(layer).b.weight", shape, layer == 0 ? .q8_0 : .f32,
          layer == 0 ? GGUFBytes.q8(numbers) : numbers.flatMap(GGUFBytes.little))
      }
      let path = folder + "/w.gguf"
      try Data(file.bytes).write(to: URL(fileURLWithPath: path))
      let specs = Named([
        ("blocks.*.a.weight", Self.matrix([2, 2, 64])),
        ("blocks.*.b.weight", Self.matrix([2, 2, 64])),
      ])
      // The file, and a folder with it.
      for place in [path, folder] {
        let files = try WeightFiles(path: place)
        let storage = try WeightLoader.storage(specs, in: files)
        #expect(storage.values == [.quantized(.int8Groups), .float32])
        let client = try SharedClient.get()
        let read = try WeightLoader(client).load(specs, from: files, as: { _ in nil })
        let wide = try CompiledFunction(client, read.types) { $0.dequantized() }(read)
        for (name, array) in wide.pairs {
          let found = try array.array(of: Float.self)
          #expect(Self.near(found, numbers + numbers, within: 1e-2), "\(name)")
        }
      }
    }
  }

  @Test func partsAreReadTogether() throws {
    try withFolder { folder in
      for part in 0..<2 {
        var file = GGUFBytes()
        file.count = 2
        file.add("part\(part)", [2], .f32, [Float(part), 1].flatMap(GGUFBytes.little))
        try Data(file.bytes).write(
          to: URL(fileURLWithPath: folder + "/w-0000\(part + 1)-of-00002.gguf"))
      }
      for place in [folder, folder + "/w-00002-of-00002.gguf"] {
        let files = try WeightFiles(path: place)
        #expect(Set(files.types.names) == ["part0", "part1"] && files.paths.count == 2)
        #expect(files.bytes("part1", Region(whole: [2])).count == 8)
      }
      try FileManager.default.removeItem(atPath: folder + "/w-00001-of-00002.gguf")
      let path = folder + "/w-00002-of-00002.gguf"
      #expect(
        throws: WeightsError.missingFiles(path: path, files: ["w-00001-of-00002.gguf"])
      ) { try WeightFiles(path: path) }
    }
  }

  /// What is wrong with a file by `WeightsError.damaged`; nil where it can be opened.
  private static func damage(_ bytes: [UInt8]) throws -> String? {
    try withFolder { folder in
      let path = folder + "/w.gguf"
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      do {
        _ = try WeightFiles(path: path)
        return nil
      } catch WeightsError.damaged(path, let reason) {
        return reason
      }
    }
  }

  @Test func everyTruncationIsRefused() throws {
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: Self.path)))
    #expect(try Self.damage(bytes) == nil)
    let header = 1024
    for count in Array(0..<header) + Array(stride(from: header, to: bytes.count - 32, by: 97)) {
      let reason = try Self.damage(Array(bytes[..<count]))
      #expect(reason?.isEmpty == false, "\(count) bytes")
    }
    #expect(try Self.damage(Array(bytes[..<6000]))?.contains("cut short") == true)
  }

  /// Damaged headers are refused, or describe arrays that are within the file and can be read.
  @Test(arguments: 0..<20) func damagedBytesDoNotCrash(seed: Int) throws {
    let original = Array(try Data(contentsOf: URL(fileURLWithPath: Self.path)))
    var generator = SeededGenerator(UInt64(seed))
    try withFolder { folder in
      let path = folder + "/w.gguf"
      for _ in 0..<200 {
        var bytes = original
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
          let place = Int.random(in: 0..<1024, using: &generator)
          bytes[place] =
            Bool.random(using: &generator)
            ? bytes[place] ^ 1 << UInt8.random(in: 0..<8, using: &generator)
            : UInt8.random(in: 0...255, using: &generator)
        }
        if Int.random(in: 0..<4, using: &generator) == 0 {
          bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
        }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        guard let files = try? WeightFiles(path: path) else { continue }
        for (name, type) in files.types.pairs {
          let read = files.bytes(name, Region(whole: type.shape))
          #expect(read.count == type.byteCount)
        }
      }
    }
  }

  static let wrong: [(change: @Sendable (inout GGUFBytes) -> Void, hint: String)] = [
    ({ $0.version = 1 }, "version 1"), ({ $0.version = 3 << 24 }, "big-endian"),
    ({ $0.arrays[0].type = 99 }, "type 99 of ggml"),
    ({ $0.arrays[0].shape = [1 << 40, 1 << 40] }, "beyond all bounds"),
    ({ $0.arrays[0].shape = [1 << 52, 1 << 20, 0] }, "beyond all bounds"),
    ({ $0.arrays[0].shape = [3] }, "cut short"),
    ({ $0.arrays[0].shape = [Int](repeating: 1, count: 9) }, "9 axes"),
    ({ $0.arrays[0].offset = 1 }, "no multiple of 32"),
    ({ $0.arrays[0].offset = 1 << 62 }, "cut short"),
    ({ $0.arrays[0].type = BlockFormat.q8_0.rawValue }, "not complete blocks of 32"),
    ({ $0.arrays.append($0.arrays[0]) }, "names a twice"),
    (
      {
        $0.arrays.append($0.arrays[0])
        $0.arrays[1].name = "b"
      }, "overlaps"
    ),
    ({ $0.facts += GGUFBytes.fact("general.alignment", 12) }, "its alignment is 12"),
    ({ $0.facts += GGUFBytes.fact("general.alignment", 0) }, "its alignment is 0"),
    ({ $0.facts += GGUFBytes.text("key") + GGUFBytes.little(UInt32(77)) }, "unknown kind 77"),
    (
      {
        $0.facts += GGUFBytes.text("key") + GGUFBytes.little(UInt32(9))
        $0.facts += GGUFBytes.little(UInt32(4)) + GGUFBytes.little(UInt64.max)
      }, "more than the file has room for"
    ),
    (
      {
        $0.facts += GGUFBytes.text("comfy.gguf.orig_shape.a") + GGUFBytes.little(UInt32(9))
        $0.facts += GGUFBytes.little(UInt32(5)) + GGUFBytes.little(UInt64(1))
        $0.facts += GGUFBytes.little(UInt32(3))
      }, "said to have the shape [3]"
    ),
  ]

  @Test(arguments: wrong.indices) func wrongHeadersAreRefused(index: Int) throws {
    var file = GGUFBytes()
    file.add("a", [2], .f32, [Float(1), 2].flatMap(GGUFBytes.little))
    #expect(try Self.damage(file.bytes) == nil)
    Self.wrong[index].change(&file)
    let reason = try Self.damage(file.bytes)
    #expect(reason?.contains(Self.wrong[index].hint) == true, "\(reason ?? "nothing")")
  }
}

/// The bytes of a GGUF file, right or wrong.
struct GGUFBytes {
  struct Array {
    var name: String
    var shape: [Int]
    var type: UInt32
    var offset: UInt64
    var data: [UInt8]
  }

  var version: UInt32 = 3
  var count = 0
  /// Further facts, which are counted as one.
  var facts: [UInt8] = []
  var arrays: [Array] = []

  mutating func add(_ name: String, _ shape: [Int], _ format: BlockFormat, _ data: [UInt8]) {
    let end = arrays.last.map { Int($0.offset) + ($0.data.count + 31) / 32 * 32 } ?? 0
    arrays.append(
      Array(
        name: name, shape: shape, type: format.rawValue, offset: UInt64(end), data: data))
  }

  var bytes: [UInt8] {
    var all = [UInt8]("GGUF".utf8) + Self.little(version) + Self.little(UInt64(arrays.count))
    all += Self.little(UInt64((facts.isEmpty ? 0 : 1) + (count > 0 ? 1 : 0))) + facts
    if count > 0 { all += Self.fact("split.count", UInt32(count)) }
    for array in arrays {
      all += Self.text(array.name) + Self.little(UInt32(array.shape.count))
      all += array.shape.reversed().flatMap { Self.little(UInt64($0)) }
      all += Self.little(array.type) + Self.little(array.offset)
    }
    all += [UInt8](repeating: 0, count: (32 - all.count % 32) % 32)
    for array in arrays {
      all += array.data + [UInt8](repeating: 0, count: (32 - array.data.count % 32) % 32)
    }
    // Nothing follows the last array, so that larger ones are beyond the file.
    return arrays.last.map { all.dropLast((32 - $0.data.count % 32) % 32) } ?? all
  }

  static func little(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) }
  }

  static func little(_ value: Float) -> [UInt8] { little(value.bitPattern) }

  static func text(_ text: String) -> [UInt8] { little(UInt64(text.utf8.count)) + text.utf8 }

  static func fact(_ key: String, _ value: UInt32) -> [UInt8] {
    text(key) + little(UInt32(4)) + little(value)
  }

  /// Numbers in Q8_0, with the scale 1/16.
  static func q8(_ numbers: [Float]) -> [UInt8] {
    stride(from: 0, to: numbers.count, by: 32).flatMap { start in
      little(Float16(1.0 / 16).bitPattern)
        + numbers[start..<start + 32].map { UInt8(bitPattern: Int8($0 * 16)) }
    }
  }
}
