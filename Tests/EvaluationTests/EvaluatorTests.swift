import Runtime
import Datasets
import Foundation
import Tensors
import Testing
import Pipelines

@testable import Evaluation

@Suite struct EvaluatorTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path
  private let evaluator: Evaluator
  private let test: FashionMNIST
  private let engine: Engine

  init() throws {
    engine = try Engine()
    evaluator = try Evaluator(
      classifier: Self.root + "/Assets/fashion-mnist-classifier.safetensors", on: engine)
    test = try FashionMNIST(.test)
  }

  /// Sets that end within a batch are measured as the same pictures in other batches are.
  @Test func setsOfAnySize() throws {
    let counts = [2, 99, 100, 101, 150, 250]
    let measured = try evaluator.measure(test, counts: counts)
    #expect(measured.map(\.features.count) == counts)
    // The sums of a set are those of its parts.
    let first = try evaluator.measure(test, counts: [100])[0]
    #expect(measured[2].features == first.features && measured[2].correct == first.correct)
    let (between, after) = (measured[4], measured[5])
    #expect(between.correct >= first.correct && between.correct - first.correct <= 50)
    #expect(after.correct - between.correct <= 100)
    for (mean, other) in zip(between.features.mean, try alone(150)) {
      #expect(abs(mean - other) < 1e-9 * (1 + abs(other)))
    }
  }

  /// The mean features of the first pictures, each measured in a batch with itself.
  private func alone(_ count: Int) throws -> [Double] {
    var sum = [Double](repeating: 0, count: 128)
    for half in [0..<count / 2, count / 2..<count] {
      let part = try evaluator.measure([half.count]) { _ in
        let indices = Array(half) + [Int](repeating: 0, count: Evaluator.batch - half.count)
        return Evaluator.Batch(
          images: try engine.array(test.images(indices), shape: [Evaluator.batch, 28, 28, 1]),
          classes: indices.map { Int32(test.classes[$0]) })
      }[0]
      for i in sum.indices { sum[i] += part.features.mean[i] * Double(half.count) }
    }
    return sum.map { $0 / Double(count) }
  }

  @Test(arguments: [-1, 10, 255] as [Int32])
  func classesThatTheClassifierDoesNotKnow(wrong: Int32) throws {
    let images = try engine.array(test.images(0..<Evaluator.batch), shape: [100, 28, 28, 1])
    var classes = [Int32](repeating: 0, count: Evaluator.batch)
    classes[7] = wrong
    #expect {
      try evaluator.measure([100]) { _ in Evaluator.Batch(images: images, classes: classes) }
    } throws: { error in
      guard case EvaluationError.otherClasses(_, 10, Int(wrong)) = error else { return false }
      return true
    }
    // What lies beyond the set is not looked at.
    #expect(
      try evaluator.measure([5]) { _ in Evaluator.Batch(images: images, classes: classes) }.count
        == 1
    )
  }

  @Test func nestedSetsAreMeasuredLikeSeparateOnes() throws {
    let together = try evaluator.measure(test, counts: [300, 200])
    for (count, measured) in zip([300, 200], together) {
      let alone = try evaluator.measure(test, counts: [count])[0]
      #expect(measured.features == alone.features && measured.correct == alone.correct)
      #expect(measured.features.count == count)
    }
    #expect(try together[0].features.distance(to: together[0].features) < 1e-6)
    #expect(try together[0].features.distance(to: together[1].features) > 0.1)
  }

  @Test func theClassifierKnowsRealPictures() throws {
    #expect(try evaluator.measure(test, counts: [2000])[0].accuracy > 0.9)
  }

  @Test func otherWeightsAreRejected() throws {
    let base = Self.root + "/Assets/fashion-mnist-base.safetensors"
    #expect(throws: PipelineError.notAClassifier(path: base)) {
      try Evaluator(classifier: base, on: Engine())
    }
  }
}
