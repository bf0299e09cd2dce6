import Foundation
import Layers
import PJRT
import Runtime
import Tensors
import TestSupport
import Testing

@testable import Weights

@Suite struct QuantizedLoadingTests {
  /// Queries and keys lie in one array on disk; columns of a head are split over devices.
  private let specs = Named<ParameterSpec>([
    ("blocks.*.to_q.weight", matrix([3, 8, 6], [nil, .heads, .embed])),
    ("blocks.*.to_k.weight", matrix([3, 4, 6], [nil, .heads, .embed])),
    ("head.weight", matrix([4, 10], [.embed, .hidden])),
    ("head.bias", ParameterSpec(shape: [4], initializer: .zeros, axes: [.embed])),
    ("table.weight", ParameterSpec(shape: [5, 3], initializer: .zeros)),
  ])
  private let names = NameMap([
    .split(disk: "blocks.*.qk", ["blocks.*.to_q", "blocks.*.to_k"]), .rename("head", to: "lm_head"),
  ])

  private static func matrix(_ shape: Shape, _ axes: [LogicalAxis?]) -> ParameterSpec {
    ParameterSpec(shape: shape, initializer: .zeros, axes: axes, isMatrix: true)
  }

  private func dtype(_ name: String) -> WeightStorage? { specs[name]!.isMatrix ? .int8 : nil }

  /// Numbers of every magnitude that bf16 has too, a row of zeros among them.
  private func values(_ name: String) -> [Float] {
    let shape = specs[name]!.shape.sizes
    var generator = SeededGenerator(UInt64(name.utf8.count))
    return (0..<shape.reduce(1, *)).map { i in
      let row = i / shape.last!
      let number = Float.random(in: -1...1, using: &generator) * exp2(Float(row % 7) - 3)
      return row == 2 ? 0 : Float(bitPattern: number.bitPattern & 0xFFFF_0000)
    }
  }

  private func write(_ dtype: DType, to path: String) throws {
    let client = try SharedClient.get()
    let wide = try specs.map { try ShardedArray(values($0), shape: $1.shape, on: client) }
    let stored = try CompiledFunction(client, wide.types) {
      $0.mapValues { $0.cast(to: dtype) }
    }(wide)
    try WeightFiles.write(parameters: stored, names: names, to: path)
  }

  /// A parameter in 8 bits, by its definition.
  private func expected(_ name: String) -> (values: [Int8], scales: [Float]) {
    let (all, width) = (values(name), specs[name]!.shape[-1])
    var (integers, scales): ([Int8], [Float]) = ([], [])
    for start in stride(from: 0, to: all.count, by: width) {
      let row = all[start..<start + width]
      let scale = max(row.map(abs).max()!, 1e-12) / 127
      scales.append(scale)
      integers += row.map { Int8(($0 / scale).rounded(.toNearestOrEven)) }
    }
    return (integers, scales)
  }

  @Test(arguments: [DType.bfloat16, .float32, .float64])
  func matricesAreQuantizedRowByRow(stored: DType) throws {
    try withFolder { folder in
      try write(stored, to: folder + "/w.safetensors")
      var last: WeightLoader.Progress?
      let read = try WeightLoader(SharedClient.get()).load(
        specs, from: WeightFiles(path: folder + "/w.safetensors"), names: names, as: dtype,
        progress: { last = $0 })
      #expect(read.count == specs.count + 3)
      for (name, spec) in specs.pairs where spec.isMatrix {
        let (values, scales) = expected(name)
        #expect(try read[name]!.array(of: Int8.self) == values, "\(name)")
        #expect(try read[name + "_scale"]!.array(of: Float.self) == scales, "\(name)")
      }
      #expect(read["table.weight"]!.type.dtype == stored)
      let bytes = read.types.values.reduce(0) { $0 + $1.byteCount }
      #expect(last?.done == bytes && last?.total == bytes)
    }
  }

  /// A row's scale is that of the whole row, also on devices that have some of its columns.
  @Test func devicesHaveTheirRegionsOfTheSameMatrix() throws {
    try withFolder { folder in
      try write(.bfloat16, to: folder + "/w.safetensors")
      let files = try WeightFiles(path: folder + "/w.safetensors")
      let client = try SharedClient.get(devices: 4)
      let mesh = Mesh(fsdp: 2, tensor: 2)
      let one = try WeightLoader(client).load(specs, from: files, names: names, as: dtype)
      let four = try WeightLoader(client, mesh: mesh).load(
        specs, from: files, names: names, as: dtype)
      for (name, array) in one.pairs {
        #expect(try four[name]!.bytes() == array.bytes(), "\(name)")
      }
      #expect(four["blocks.*.to_q.weight"]!.shards[0].region.sizes == [3, 4, 3])
      #expect(four["blocks.*.to_q.weight_scale"]!.shards[0].region.sizes == [3, 4])
      #expect(four["head.weight_scale"]!.shards[3].region == Region(start: [2], sizes: [2]))
    }
  }

  /// A file of another program, layer by layer, with its scales as vectors or as columns.
  @Test(arguments: [false, true], [DType.float32, .bfloat16])
  func aQuantizedFileIsLoadedAsItIs(columns: Bool, scale: DType) throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try writeQuantized(path, scales: { columns ? $0 + [1] : $0 }, as: scale)
      let files = try WeightFiles(path: path)
      let specs = self.specs.filter { $0 != "table.weight" }
      #expect(
        try WeightLoader.storage(specs, in: files, names: names).values == [
          .int8, .int8, .int8, .float32,
        ])
      let client = try SharedClient.get()
      let read = try WeightLoader(client).load(specs, from: files, names: names) { _ in nil }
      let wide = try WeightLoader(client).load(specs, from: files, names: names) { _ in .float32 }
      for (name, spec) in specs.pairs where spec.isMatrix {
        let (values, _) = expected(name)
        #expect(try read[name]!.array(of: Int8.self) == values)
        let scales = try read[name + "_scale"]!.array(of: Float.self)
        #expect(scales == (0..<scales.count).map { Float($0 % spec.shape[-2] + 1) / 4 }, "\(name)")
        let width = spec.shape[-1]
        #expect(
          try wide[name]!.array(of: Float.self)
            == values.enumerated().map { Float($1) * scales[$0 / width] })
        #expect(wide[name + "_scale"] == nil)
      }
    }
  }

  @Test func whatIsWrittenInEightBitsIsReadAgain() throws {
    try withFolder { folder in
      let client = try SharedClient.get()
      try write(.float32, to: folder + "/w.safetensors")
      let read = try WeightLoader(client).load(
        specs, from: WeightFiles(path: folder + "/w.safetensors"), names: names, as: dtype)
      try WeightFiles.write(parameters: read, names: names, to: folder + "/q.safetensors")
      let files = try WeightFiles(path: folder + "/q.safetensors")
      #expect(files.types["blocks.2.qk.weight"] == TensorType([12, 6], .int8))
      #expect(files.types["blocks.2.qk.weight_scale"] == TensorType([12], .float32))
      let again = try WeightLoader(client).load(specs, from: files, names: names) { _ in nil }
      #expect(again.names == read.names)
      for (name, array) in read.pairs {
        #expect(try again[name]!.bytes() == array.bytes(), "\(name)")
      }
    }
  }

  /// One message says what is wrong with all scales.
  @Test func scalesThatDoNotFitAreNamed() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try writeQuantized(path, scales: { [$0[0] / 2] }, without: "lm_head.weight_scale")
      let specs = self.specs.filter { $0 != "table.weight" }
      let wrong = (0..<3).map {
        WeightsError.Problem.wrongType(
          name: "blocks.\($0).qk.weight_scale", found: TensorType([6], .float32),
          expected: TensorType([12], .float32))
      }
      do {
        _ = try WeightLoader(SharedClient.get()).load(
          specs, from: WeightFiles(path: path), names: names
        ) { _ in nil }
        Issue.record("scales that do not fit were taken")
      } catch WeightsError.mismatch(_, let problems) {
        #expect(Set(problems.map { "\($0)" }).count == 4)
        #expect(wrong.allSatisfy(problems.contains))
        #expect(problems.contains(.missing(name: "lm_head.weight_scale", similar: nil)))
      }
    }
  }

  @Test func numbersThatAreNotFiniteAreNotQuantized() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      let client = try SharedClient.get()
      for number in [Float.nan, -.infinity] {
        var head = values("head.weight")
        head[17] = number
        let specs = self.specs.filter { $0 == "head.weight" }
        try WeightFiles.write(
          parameters: Named([("head.weight", try ShardedArray(head, shape: [4, 10], on: client))]),
          names: names, to: path)
        #expect(throws: WeightsError.notFinite(path: path, names: ["head.weight"])) {
          try WeightLoader(client).load(
            specs, from: WeightFiles(path: path), names: names, as: dtype)
        }
      }
    }
  }

  @Test func blocksCoverARegionWithoutDividingRows() {
    let region = Region(start: [2, 1, 0], sizes: [3, 5, 4])
    #expect(region.blocks(of: 60) == [region])
    #expect(region.blocks(of: 50).map(\.sizes) == [[2, 5, 4], [1, 5, 4]])
    let rows = region.blocks(of: 1)
    #expect(rows.count == 15 && rows.allSatisfy { $0.sizes == [1, 1, 4] })
    #expect(rows.last?.start == [4, 5, 0])
  }

  /// Writes all but the table with scales 1/4, 2/4, … within each array.
  private func writeQuantized(
    _ path: String, scales: ([Int]) -> [Int], as dtype: DType = .float32,
    without missing: String? = nil
  ) throws {
    var arrays = Named<(type: TensorType, bytes: [UInt8])>()
    func add(_ name: String, _ rows: Int, _ integers: [Int8], starts: [Int]) {
      arrays[name] = (
        TensorType(Shape([rows, integers.count / rows]), .int8),
        integers.map { UInt8(bitPattern: $0) }
      )
      let shape = scales([rows])
      // The keys' rows begin anew after the queries'.
      let numbers = (0..<shape.reduce(1, *)).map { row in
        Float(row - starts.last { $0 <= row }! + 1) / 4
      }
      let name = name + "_scale"
      guard name != missing else { return }
      arrays[name] = (
        TensorType(Shape(shape), dtype),
        numbers.flatMap { number in
          withUnsafeBytes(of: number.bitPattern) {
            dtype == .float32 ? Array($0) : Array($0.dropFirst(2))
          }
        }
      )
    }
    let (q, k) = (expected("blocks.*.to_q.weight").values, expected("blocks.*.to_k.weight").values)
    for i in 0..<3 {
      add(
        "blocks.\(i).qk.weight", 12, Array(q[i * 48..<(i + 1) * 48] + k[i * 24..<(i + 1) * 24]),
        starts: [0, 8])
    }
    add("lm_head.weight", 4, expected("head.weight").values, starts: [0])
    arrays["lm_head.bias"] = (TensorType([4], .float32), [UInt8](repeating: 0, count: 16))
    try WeightsTests.write(arrays, to: path)
  }
}
