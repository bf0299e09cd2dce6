import Foundation
import Layers
import PJRT
import Runtime
import Tensors
import TestSupport
import Testing

@testable import Weights

/// Matrices that are quantized in 4 bits when they are loaded.
@Suite struct FourBitTests {
  private let specs = Named([
    ("blocks.*.to_q.weight", matrix([2, 4, 64], [nil, .heads, .embed])),
    ("narrow.weight", matrix([4, 10], [])),
    ("bias", ParameterSpec(shape: [4], initializer: .zeros)),
  ])

  private static func matrix(_ shape: Shape, _ axes: [LogicalAxis?]) -> ParameterSpec {
    ParameterSpec(shape: shape, initializer: .zeros, axes: axes, isMatrix: true)
  }

  private func storage(_ name: String) -> WeightStorage? { specs[name]!.isMatrix ? .int4 : nil }

  /// Normal numbers.
  private static func normal(_ count: Int, seed: UInt64 = 1) -> [Float] {
    var generator = SeededGenerator(seed)
    return (0..<count).map { _ in
      let (u, v) = (
        Double.random(in: 1e-9..<1, using: &generator), Double.random(in: 0..<1, using: &generator)
      )
      return Float((-2 * Foundation.log(u)).squareRoot() * cos(2 * .pi * v))
    }
  }

  private func write(to path: String, _ change: (inout [Float]) -> Void = { _ in }) throws {
    let client = try SharedClient.get()
    let arrays = try specs.map { name, spec in
      var values = Self.normal(spec.shape.count)
      if name.hasPrefix("blocks") { change(&values) }
      return try ShardedArray(values, shape: spec.shape, on: client)
    }
    try WeightFiles.write(parameters: arrays, to: path)
  }

  private static func error(_ found: [Float], _ expected: [Float]) -> Float {
    let norm = { (x: [Float]) in x.reduce(0) { $0 + $1 * $1 }.squareRoot() }
    return norm(zip(found, expected).map { $0 - $1 }) / norm(expected)
  }

  /// The bound of the error is that of normal numbers; scaling to the largest magnitude has 9.7 %.
  @Test func theErrorIsSmall() throws {
    let numbers = Self.normal(1 << 16)
    let four = try #require(
      QuantizedMatrix(numbers, columns: 256, taking: 0..<256, as: .int4))
    let error = Self.error(four.dequantized(columns: 256), numbers)
    #expect(error < 0.083 && error > 0.07)
    let eight = try #require(
      QuantizedMatrix(numbers, columns: 256, taking: 0..<256, as: .int8Groups))
    #expect(Self.error(eight.dequantized(columns: 256), numbers) < 0.006)
  }

  /// Integers from −8 to 7 times a scale stay as they are.
  @Test func whatIsOnTheGridIsExact() throws {
    var generator = SeededGenerator(3)
    let numbers = (0..<32 * 8).map { i in
      i % 32 == 5 ? -8 : Float(Int.random(in: -8...7, using: &generator))
    }.enumerated().map { $1 * [0.25, -0.5, 3, 0.001953125][$0 / 32 % 4] }
    let four = try #require(QuantizedMatrix(numbers, columns: 64, taking: 0..<64, as: .int4))
    #expect(four.dequantized(columns: 64) == numbers)
    let zeros = [Float](repeating: 0, count: 64)
    let none = try #require(QuantizedMatrix(zeros, columns: 64, taking: 0..<64, as: .int4))
    #expect(none.dequantized(columns: 64) == zeros && none.values.allSatisfy { $0 == 0x88 })
  }

  @Test func theDeviceHasWhatTheHostQuantizes() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try write(to: path)
      let client = try SharedClient.get()
      let files = try WeightFiles(path: path)
      var last: WeightLoader.Progress?
      let read = try WeightLoader(client).load(
        specs, from: files, as: storage, progress: { last = $0 })
      #expect(read["blocks.*.to_q.weight"]!.type == TensorType([2, 4, 32], .uint8))
      #expect(read["blocks.*.to_q.weight_scale"]!.type == TensorType([2, 4, 2], .float16))
      // Rows of 10 are not groups.
      #expect(read["narrow.weight"]!.type == TensorType([4, 10], .int8))
      let bytes = read.types.values.reduce(0) { $0 + $1.byteCount }
      #expect(last?.done == bytes && last?.total == bytes)
      let wide = try CompiledFunction(client, read.types) { $0.dequantized() }(read)
      let numbers = Self.normal(512)
      let four = try #require(QuantizedMatrix(numbers, columns: 64, taking: 0..<64, as: .int4))
      #expect(
        try wide["blocks.*.to_q.weight"]!.array(of: Float.self) == four.dequantized(columns: 64))
    }
  }

  @Test func whatIsWrittenIsReadAgain() throws {
    try withFolder { folder in
      let client = try SharedClient.get()
      try write(to: folder + "/w.safetensors")
      let read = try WeightLoader(client).load(
        specs, from: WeightFiles(path: folder + "/w.safetensors"), as: storage)
      try WeightFiles.write(parameters: read, to: folder + "/q.safetensors")
      let files = try WeightFiles(path: folder + "/q.safetensors")
      #expect(files.types["blocks.1.to_q.weight"] == TensorType([4, 32], .uint8))
      #expect(files.types["blocks.1.to_q.weight_scale"] == TensorType([4, 2], .float16))
      let again = try WeightLoader(client).load(specs, from: files) { _ in nil }
      #expect(again.names == read.names)
      for (name, array) in read.pairs {
        #expect(try again[name]!.bytes() == array.bytes(), "\(name)")
      }
      // And as numbers.
      let wide = try WeightLoader(client).load(specs, from: files) { _ in .float32 }
      let numbers = try wide["blocks.*.to_q.weight"]!.array(of: Float.self)
      #expect(Self.error(numbers, Self.normal(512)) < 0.09)
    }
  }

  @Test func devicesHaveTheirRegions() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try write(to: path)
      let files = try WeightFiles(path: path)
      let client = try SharedClient.get(devices: 4)
      let one = try WeightLoader(client).load(specs, from: files, as: storage)
      let mesh = Mesh(fsdp: 2, tensor: 2)
      let four = try WeightLoader(client, mesh: mesh).load(specs, from: files, as: storage)
      for (name, array) in one.pairs {
        #expect(try four[name]!.bytes() == array.bytes(), "\(name)")
      }
      #expect(four["blocks.*.to_q.weight"]!.shards[0].region.sizes == [2, 2, 16])
      #expect(four["blocks.*.to_q.weight_scale"]!.shards[0].region.sizes == [2, 2, 1])
    }
  }

  @Test(arguments: [Float.nan, .infinity, 1e9]) func numbersBeyondScalesAreRefused(
    number: Float
  ) throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try write(to: path) { $0[100] = number }
      #expect(throws: WeightsError.notFinite(path: path, names: ["blocks.*.to_q.weight"])) {
        try WeightLoader(SharedClient.get()).load(
          specs, from: WeightFiles(path: path), as: storage)
      }
    }
  }

  /// Integers without scales, and scales of another shape.
  @Test func scalesThatDoNotFitAreNamed() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      let specs = Named([("a.weight", Self.matrix([4, 64], []))])
      let values = (type: TensorType([4, 32], .uint8), bytes: [UInt8](repeating: 0, count: 128))
      try WeightsTests.write(Named([("a.weight", values)]), to: path)
      let missing = WeightsError.Problem.missing(name: "a.weight_scale", similar: nil)
      #expect(throws: WeightsError.mismatch(path: path, problems: [missing])) {
        try WeightLoader.storage(specs, in: WeightFiles(path: path))
      }
      let scales = (type: TensorType([4, 3], .float16), bytes: [UInt8](repeating: 0, count: 24))
      try WeightsTests.write(Named([("a.weight", values), ("a.weight_scale", scales)]), to: path)
      let wrong = WeightsError.Problem.wrongType(
        name: "a.weight_scale", found: scales.type, expected: TensorType([4, 2], .float16))
      #expect(throws: WeightsError.mismatch(path: path, problems: [wrong])) {
        try WeightLoader.storage(specs, in: WeightFiles(path: path))
      }
    }
  }
}
