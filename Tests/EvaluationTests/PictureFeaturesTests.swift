import Foundation
import Pictures
import Pipelines
import Runtime
import TestSupport
import Testing

@testable import Evaluation

/// EfficientNet-Lite0, against the PyTorch package `efficientnet_lite_pytorch` in f64.
@Suite struct PictureFeaturesTests {
  private static let picture: RGBImage = {
    let values = (0..<224 * 224 * 3).map { (index: Int) -> UInt8 in
      UInt8(128 + 127 * sin(Double(index) * 0.37))
    }
    return RGBImage(width: 224, height: 224, values: values)
  }()

  @Test func featuresEqualThePublishedCode() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/lite0.safetensors"
    try FeatureWeights.write(.waves, to: path)
    let features = try EfficientNetFeatures(weights: path, on: Engine())
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

  /// The features of a CLIP are those that it compares with texts, and its folder is told from other weights.
  @Test func featuresOfCLIP() throws {
    let path = "\(NetworkJudgeTests.fixtures)/judge_clip/model"
    let engine = try SharedEngine.get()
    let features = try PictureFeaturesSource(path).load(on: engine)
    let judge = try CLIPJudge(path, on: engine)
    let pictures = [Self.picture, RGBImage(width: 2, height: 1, values: [0, 0, 0, 255, 255, 255])]
    let found = try features.features(of: pictures)
    #expect(found.count == 2 && found.width == judge.config.projection)
    #expect(features.name.wholeMatch(of: /CLIP [0-9a-f]{8}/) != nil, "\(features.name)")
    let expected = try judge.features(of: pictures)
    for (number, row) in expected.enumerated() {
      let own = found[number].map(Double.init)
      let norm = own.reduce(0) { $0 + $1 * $1 }.squareRoot()
      for (value, wanted) in zip(own, row) { #expect(abs(value / norm - Double(wanted)) < 1e-5) }
    }
    let file = try PictureFeaturesSource("\(path)/config.json")
    #expect(file.path == "\(path)/config.json")
    if case .clip = file { Issue.record("a file is no CLIP") }
  }
}
