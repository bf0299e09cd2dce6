import Foundation
import Layers
import PJRT
import Runtime
import Tensors
import TestSupport
import Testing

@testable import Weights

/// Weights in floating-point numbers of 8 bits, alone and with scales.
@Suite struct Float8Tests {
  static let types = [DType.float8e4m3, .float8e5m2]
  static let every = (0...255).map { UInt8($0) }

  /// The number of a bit pattern by its definition.
  private static func number(_ bits: UInt8, _ dtype: DType) -> Double {
    let (fractionBits, bias) = dtype == .float8e4m3 ? (3, 7) : (2, 15)
    let sign = bits >= 128 ? -1.0 : 1
    let exponent = Int(bits & 127) >> fractionBits
    let fraction = Double(Int(bits) % (1 << fractionBits)) / Double(1 << fractionBits)
    if dtype == .float8e4m3, bits & 127 == 127 { return .nan }
    if dtype == .float8e5m2, exponent == 31 { return fraction == 0 ? sign * .infinity : .nan }
    return exponent == 0
      ? sign * fraction * pow(2, Double(1 - bias))
      : sign * (1 + fraction) * pow(2, Double(exponent - bias))
  }

  private static func same(_ a: Double, _ b: Double) -> Bool { a == b || a.isNaN && b.isNaN }

  @Test(arguments: types) func everyBitPatternIsItsNumber(dtype: DType) {
    for bits in Self.every {
      let value = Float8.value(bits, dtype)
      #expect(Self.same(Double(value), Self.number(bits, dtype)), "\(bits)")
      if !value.isNaN { #expect(Float8.bits(of: value, dtype) == bits) }
    }
    #expect(Float8.value(Float8.bits(of: .nan, dtype), dtype).isNaN)
  }

  @Test func numbersBetweenAreRounded() {
    // Between 1 and 1.125, and between 448 and what would follow.
    #expect(Float8.value(Float8.bits(of: 1.0625, .float8e4m3), .float8e4m3) == 1)
    #expect(Float8.value(Float8.bits(of: 1.19, .float8e4m3), .float8e4m3) == 1.25)
    #expect(Float8.value(Float8.bits(of: 1.1875, .float8e4m3), .float8e4m3) == 1.25)
    #expect(Float8.value(Float8.bits(of: -464, .float8e4m3), .float8e4m3) == -448)
    #expect(Float8.value(Float8.bits(of: 465, .float8e4m3), .float8e4m3).isNaN)
    #expect(Float8.value(Float8.bits(of: -61440, .float8e5m2), .float8e5m2) == -.infinity)
    #expect(Float8.value(Float8.bits(of: 0x1p-17, .float8e5m2), .float8e5m2) == 0)
  }

  /// Every number is exact in every wider type, on the host and on the device.
  @Test(arguments: types, [DType.bfloat16, .float16, .float32, .float64])
  func wideningIsExact(stored: DType, target: DType) throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try WeightsTests.write(
        Named([("x", (type: TensorType([256], stored), bytes: Self.every))]), to: path)
      #expect(try SafeTensors(path: path).types["x"] == TensorType([256], stored))
      let client = try SharedClient.get()
      let specs = Named([("x", ParameterSpec(shape: [256], initializer: .zeros))])
      let read = try WeightLoader(client).load(
        specs, from: WeightFiles(path: path), as: { _ in .dense(target) })
      let matrix = Named([
        ("x", ParameterSpec(shape: [256], initializer: .zeros, isMatrix: true))
      ])
      let kept = try WeightLoader(client).load(matrix, from: WeightFiles(path: path)) { _ in nil }
      #expect(read["x"]!.type.dtype == target && kept["x"]!.type.dtype == stored)
      for array in [read["x"]!, kept["x"]!] {
        let wide = try CompiledFunction(client, Named([("x", array.type)])) {
          $0.mapValues { $0.cast(to: target).cast(to: .float64) }
        }(Named([("x", array)]))
        let found = try wide["x"]!.array(of: Double.self)
        for bits in Self.every {
          #expect(Self.same(found[Int(bits)], Self.number(bits, stored)), "\(bits)")
        }
      }
    }
  }

  /// Matrices stay as they are; what is small and not multiplied becomes bf16.
  @Test func whatIsNoMatrixBecomesBF16() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      let type = TensorType([4], .float8e4m3)
      try WeightsTests.write(Named([("bias", (type: type, bytes: [8, 16, 24, 32]))]), to: path)
      let specs = Named([("bias", ParameterSpec(shape: [4], initializer: .zeros))])
      let storage = try WeightLoader.storage(specs, in: WeightFiles(path: path))
      #expect(storage["bias"] == .bfloat16)
    }
  }

  enum Scales: String, CaseIterable {
    /// ComfyUI's earlier names, with a marker and scales of inputs.
    case comfyEarlier
    /// ComfyUI's names now, with a text in JSON.
    case comfy
    /// A vector of scales, one a row.
    case rows
    /// A column of scales.
    case column
  }

  /// A network of one matrix `[4, 3]` and its bias, as it is stored with scales.
  private func write(_ scales: Scales, to path: String, format: String = "float8_e4m3fn") throws {
    var arrays = Named<(type: TensorType, bytes: [UInt8])>()
    arrays["map.weight"] = (TensorType([4, 3], .float8e4m3), (0..<12).map { 40 + $0 })
    arrays["map.bias"] = (TensorType([4], .float32), [UInt8](repeating: 0, count: 16))
    func floats(_ numbers: [Float]) -> [UInt8] { numbers.flatMap(GGUFBytes.little) }
    switch scales {
    case .comfyEarlier:
      arrays["map.scale_weight"] = (TensorType([], .float32), floats([0.5]))
      arrays["map.scale_input"] = (TensorType([1], .float32), floats([3]))
      arrays["scaled_fp8"] = (TensorType([0], .float8e4m3), [])
    case .comfy:
      arrays["map.weight_scale"] = (TensorType([1], .float32), floats([0.5]))
      arrays["map.input_scale"] = (TensorType([], .float32), floats([3]))
      let text = Array(#"{"format": "\#(format)", "full_precision_matrix_mult": true}"#.utf8)
      arrays["map.comfy_quant"] = (TensorType([text.count], .uint8), text)
    case .rows, .column:
      arrays["map.weight_scale"] = (
        TensorType(scales == .rows ? [4] : [4, 1], .float32), floats([0.5, 1, 2, 4])
      )
    }
    try WeightsTests.write(arrays, to: path)
  }

  private let specs = Named([
    ("map.weight", ParameterSpec(shape: [4, 3], initializer: .zeros, isMatrix: true)),
    ("map.bias", ParameterSpec(shape: [4], initializer: .zeros)),
  ])

  @Test(arguments: Scales.allCases) func scalesAreApplied(scales: Scales) throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try write(scales, to: path)
      let client = try SharedClient.get()
      let files = try WeightFiles(path: path)
      let isWhole = scales == .comfy || scales == .comfyEarlier
      let factors: [Float] = isWhole ? [0.5, 0.5, 0.5, 0.5] : [0.5, 1, 2, 4]
      let expected = (0..<12).map { Float8.value(UInt8(40 + $0), .float8e4m3) * factors[$0 / 3] }
      let kept = try WeightLoader(client).load(specs, from: files, as: { _ in nil })
      #expect(kept.names == ["map.weight", "map.weight_scale", "map.bias"])
      #expect(kept["map.weight"]!.type.dtype == .float8e4m3)
      #expect(try kept["map.weight_scale"]!.array(of: Float.self) == factors)
      let wide = try WeightLoader(client).load(specs, from: files, as: { _ in .float32 })
      #expect(wide.names == specs.names)
      #expect(try wide["map.weight"]!.array(of: Float.self) == expected)
      // A layer computes the same from both.
      let x = try ShardedArray([1, -2, 0.5, 3, 1, 1] as [Float], shape: [2, 3], on: client)
      let results = try [kept, wide].map { weights in
        let all = weights.merging(Named([("x", x)]))
        return try CompiledFunction(client, all.types) { given in
          let weights = given.filter { $0 != "x" }
          let map = Scope.bind(weights) { $0.linear("map", 3, 4) }
          return Named([("y", map(given["x"]!))])
        }(all)["y"]!.array(of: Float.self)
      }
      for (a, b) in zip(results[0], results[1]) { #expect(abs(a - b) <= 1e-5 * abs(b)) }
      #expect(results[1].contains { $0 != 0 })
    }
  }

  @Test func otherFormsAreRefused() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try write(.comfy, to: path, format: "nvfp4")
      let error = #expect(throws: WeightsError.self) {
        try WeightLoader(SharedClient.get()).load(
          specs, from: WeightFiles(path: path), as: { _ in nil })
      }
      #expect(error?.description.contains("map.comfy_quant says nvfp4") == true)
    }
  }
}
