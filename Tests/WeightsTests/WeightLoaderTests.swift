import Runtime
import Foundation
import Layers
import PJRT
import Tensors
import TestSupport
import Testing

@testable import Weights

@Suite struct WeightLoaderTests {
  private let specs = Named<ParameterSpec>([
    ("blocks.*.to_q.weight", ParameterSpec(shape: [3, 4, 2], initializer: .zeros)),
    ("blocks.*.to_k.weight", ParameterSpec(shape: [3, 2, 2], initializer: .zeros)),
    ("head.weight", ParameterSpec(shape: [5, 2], initializer: .zeros)),
  ])
  private let fused = NameMap([
    .split(disk: "blocks.*.qk", ["blocks.*.to_q", "blocks.*.to_k"]), .rename("head", to: "lm_head"),
  ])

  /// Numbers that f16 and bf16 have too.
  private func values(_ count: Int, from start: Int) -> [Float] {
    (0..<count).map { Float(start + $0) / 4 - 8 }
  }

  private func array(_ values: [Float], _ shape: [Int], _ client: Client) throws -> ShardedArray {
    try ShardedArray(values, shape: Shape(shape), on: client)
  }

  private func parameters(_ client: Client) throws -> Named<ShardedArray> {
    Named([
      ("blocks.*.to_q.weight", try array(values(24, from: 0), [3, 4, 2], client)),
      ("blocks.*.to_k.weight", try array(values(12, from: 24), [3, 2, 2], client)),
      ("head.weight", try array(values(10, from: 36), [5, 2], client)),
    ])
  }

  @Test(arguments: [0, 1, 1000])
  func whatIsWrittenIsReadAgain(largest: Int) throws {
    try withFolder { folder in
      let client = try SharedClient.get()
      let path = folder + "/w.safetensors"
      let written = try parameters(client)
      try WeightFiles.write(
        parameters: written, names: fused, metadata: ["a": "b"], to: path,
        largest: largest == 0 ? 5 << 30 : largest)
      let files = try WeightFiles(path: path)
      #expect(
        Set(files.types.names) == [
          "blocks.0.qk.weight", "blocks.1.qk.weight", "blocks.2.qk.weight", "lm_head.weight",
        ])
      #expect(files.types["blocks.1.qk.weight"]?.shape == [6, 2])
      var reports: [WeightLoader.Progress] = []
      let read = try WeightLoader(client).load(
        specs, from: files, names: fused, as: { _ in nil }, progress: { reports.append($0) })
      for (name, array) in written.pairs {
        #expect(try read[name]!.array(of: Float.self) == array.array(of: Float.self), "\(name)")
      }
      #expect(reports.map(\.done) == [96, 144, 184] && reports.allSatisfy { $0.total == 184 })
    }
  }

  /// A layer's rows of queries, then of keys, as a program that knows nothing of stacks has them.
  @Test func layersLieWhereOthersPutThem() throws {
    try withFolder { folder in
      let client = try SharedClient.get()
      let path = folder + "/w.safetensors"
      try WeightFiles.write(parameters: parameters(client), names: fused, to: path)
      let file = try SafeTensors(path: path)
      let layer = file.bytes("blocks.1.qk.weight")!.bindMemory(to: Float.self)
      #expect(
        Array(layer) == Array(values(24, from: 0)[8..<16]) + values(12, from: 24)[4..<8])
    }
  }

  /// A frozen parameter stays as it is stored, one that is trained is widened.
  @Test(arguments: [DType.bfloat16, .float16, .float32, .float64])
  func typesAreTheReadersChoice(stored: DType) throws {
    try withFolder { folder in
      let client = try SharedClient.get()
      let path = folder + "/w.safetensors"
      let wide = try parameters(client)
      let program = try CompiledFunction(client, wide.types) {
        $0.mapValues { $0.cast(to: stored) }
      }
      try WeightFiles.write(parameters: program(wide), names: fused, to: path)
      let read = try WeightLoader(client).load(
        specs, from: WeightFiles(path: path), names: fused,
        as: { $0 == "head.weight" ? .float32 : nil })
      #expect(read["blocks.*.to_q.weight"]!.type.dtype == stored)
      #expect(try read["head.weight"]!.array(of: Float.self) == values(10, from: 36))
      for target in [DType.float32, .bfloat16, .float16] {
        let all = try WeightLoader(client).load(
          specs, from: WeightFiles(path: path), names: fused, as: { _ in .dense(target) })
        let exact = try CompiledFunction(client, all.types) {
          $0.mapValues { $0.cast(to: .float32) }
        }(all)
        #expect(
          try exact["blocks.*.to_k.weight"]!.array(of: Float.self) == values(12, from: 24),
          "\(stored) to \(target)")
      }
    }
  }

  @Test func everyMisfitIsNamedAsOnDisk() throws {
    try withFolder { folder in
      let client = try SharedClient.get()
      let path = folder + "/w.safetensors"
      var wrong = try parameters(client)
      wrong["head.weight"] = try array(values(8, from: 0), [4, 2], client)
      wrong["extra"] = wrong["head.weight"]
      wrong["blocks.*.to_q.weight"] = try array(values(16, from: 0), [2, 4, 2], client)
      wrong["blocks.*.to_k.weight"] = try array(values(8, from: 0), [2, 2, 2], client)
      try WeightFiles.write(parameters: wrong, names: fused, to: path)
      let files = try WeightFiles(path: path)
      let head = WeightsError.Problem.wrongType(
        name: "lm_head.weight", found: TensorType([4, 2], .float32),
        expected: TensorType([5, 2], .float32))
      do {
        _ = try WeightLoader(client).load(specs, from: files, names: fused, as: { _ in nil })
        Issue.record("weights that do not fit were taken")
      } catch WeightsError.mismatch(_, let problems) {
        #expect(problems.contains(head) && problems.contains(.unused(name: "extra")))
        #expect(problems.contains { "\($0)".contains("blocks.2.qk.weight") })
      }
    }
  }

  @Test func numbersBeyondTheRangeAreCounted() throws {
    try withFolder { folder in
      let client = try SharedClient.get()
      let path = folder + "/w.safetensors"
      var large = try parameters(client)
      large["head.weight"] = try array(
        [65519, 65520, -1e9, .infinity, .nan, 1e-30, 0, 1, 2, 3], [5, 2], client)
      try WeightFiles.write(parameters: large, names: fused, to: path)
      #expect(
        throws: WeightsError.beyondRange(
          path: path, dtype: .float16, names: ["head.weight"], count: 2)
      ) {
        try WeightLoader(client).load(
          specs, from: WeightFiles(path: path), names: fused, as: { _ in .float16 })
      }
    }
  }

  /// The nearest number, ties to even, as the devices convert.
  @Test func conversionsRoundAsDevicesDo() throws {
    let client = try SharedClient.get()
    var seed = SeededGenerator(3)
    let numbers =
      (0..<4096).map { _ in Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &seed)) }
      // XLA takes what is subnormal in f32 for 0.
      .filter { $0.isFinite && !$0.isSubnormal }
      + [0, -0.0, 1, 65504, 65519.996, 65520, .infinity, 1.00390625]
    for target in [DType.bfloat16, .float16, .float64] {
      var host = [UInt8](repeating: 0, count: numbers.count * target.byteCount)
      _ = numbers.withUnsafeBytes { source in
        host.withUnsafeMutableBytes {
          ElementConversion.convert(source, .float32, to: $0, target)
        }
      }
      let given = try array(numbers, [numbers.count], client)
      let device = try CompiledFunction(client, Named([("x", given.type)])) {
        $0.mapValues { $0.cast(to: target) }
      }(Named([("x", given)]))["x"]!
      let found = try device.bytes()
      let wrong = numbers.indices.filter { i in
        (0..<target.byteCount).contains {
          found[i * target.byteCount + $0] != host[i * target.byteCount + $0]
        }
      }
      #expect(wrong.isEmpty, "\(target): \(wrong.map { numbers[$0] })")
    }
  }
}
