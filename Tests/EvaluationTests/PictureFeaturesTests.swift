import Foundation
import Layers
import Models
import Pictures
import Runtime
import Tensors
import Testing
import Weights

@testable import Evaluation

/// EfficientNet-Lite0, against the PyTorch package `efficientnet_lite_pytorch` in f64.
@Suite struct PictureFeaturesTests {
  /// Weights by a formula, so that no file is needed.
  private static func weights() -> [(name: String, shape: Shape, values: [Float])] {
    let specs = Scope.declare { EfficientNetLite($0) }
    return specs.names.sorted().enumerated().map { number, name in
      let shape = specs[name]!.shape
      let isMatrix = shape.rank > 1
      let fan = isMatrix ? shape.sizes.dropFirst().reduce(1, *) : 1
      let values = (0..<shape.count).map { index -> Float in
        let wave = sin(Double(index) * 0.7 + Double(number))
        if name.hasSuffix("running_var") { return Float(1 + 0.5 * wave) }
        if name.contains("_bn") {
          return Float(name.hasSuffix("weight") ? 1 + 0.2 * wave : 0.1 * wave)
        }
        return Float(isMatrix ? wave * (3 / Double(fan)).squareRoot() : 0.1 * wave)
      }
      return (name, shape, values)
    }
  }

  private static let picture: RGBImage = {
    let values = (0..<224 * 224 * 3).map { (index: Int) -> UInt8 in
      UInt8(128 + 127 * sin(Double(index) * 0.37))
    }
    return RGBImage(width: 224, height: 224, values: values)
  }()

  @Test func featuresEqualThePublishedCode() throws {
    let folder = FileManager.default.temporaryDirectory.path + "/features-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/lite0.safetensors"
    let weights = Self.weights()
    let types = Named(weights.map { ($0.name, TensorType($0.shape, .float32)) })
    let values = Dictionary(uniqueKeysWithValues: weights.map { ($0.name, $0.values) })
    try WeightFiles.write(types, to: path) { name in
      values[name]!.withUnsafeBytes { Array($0) }
    }
    let features = try PictureFeatures(weights: path, on: Engine())
    let other = RGBImage(width: 2, height: 1, values: [0, 0, 0, 255, 255, 255])
    // More than a batch, so that the last one is filled up.
    let found = try features([Self.picture] + [RGBImage](repeating: other, count: 17))
    #expect(found.features.count == 18 && found.logits.count == 18 * 1000)
    let first = found.features[0].map(Double.init)
    let norm = first.reduce(0) { $0 + $1 * $1 }.squareRoot()
    #expect(abs(norm - 28.997_676_210_886_876) < 1e-3)
    for (index, value) in [(0, 0.0), (2, 1.417_625_471_252_676_7), (5, 1.756_914_099_276_760_7)] {
      #expect(abs(first[index] - value) < 1e-4)
    }
    let logits = [-3.560_229_680_296_716, 4.853_196_326_299_679]
    for (value, wanted) in zip(found.logits, logits) {
      #expect(abs(Double(value) - wanted) < 1e-3)
    }
    let isSame = zip(found.features[1], found.features[17]).allSatisfy { abs($0 - $1) < 1e-4 }
    #expect(isSame)
  }
}
