import Datasets
import Foundation
import Tensors
import Testing
import Training

@testable import Evaluation

@Suite struct EvaluatorTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path
  private let evaluator: Evaluator
  private let test: FashionMNIST

  init() throws {
    evaluator = try Evaluator(
      classifier: Self.root + "/Assets/fashion-mnist-classifier.safetensors", on: Engine())
    test = try FashionMNIST(.test)
  }

  @Test func growingSetsAreMeasuredAsIfAlone() throws {
    let together = try evaluator.measure(test, counts: [300, 200])
    for (count, measured) in zip([300, 200], together) {
      let alone = try evaluator.measure(test, counts: [count])[0]
      #expect(measured.features == alone.features && measured.hits == alone.hits)
      #expect(measured.features.count == count)
    }
    #expect(together[0].features.distance(to: together[0].features) < 1e-6)
    #expect(together[0].features.distance(to: together[1].features) > 0.1)
  }

  @Test func theClassifierKnowsRealPictures() throws {
    #expect(try evaluator.measure(test, counts: [2000])[0].accuracy > 0.9)
  }

  @Test func otherWeightsAreRefused() throws {
    let base = Self.root + "/Assets/fashion-mnist-base.safetensors"
    #expect(throws: TrainingError.notAClassifier(path: base)) {
      try Evaluator(classifier: base, on: Engine())
    }
  }
}
