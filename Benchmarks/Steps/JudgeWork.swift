import ArgumentParser
import Foundation
import Pictures
import Pipelines
import Runtime

extension Bench {
  /// Times a network that judges pictures, from the file of its weights on, and tells the memory that it takes.
  func runJudge(on engine: Engine) throws {
    guard let folder else { throw ValidationError("--folder names the network.") }
    let before = ProcessMemory()
    ProcessMemory.resetPeak()
    let opening = ContinuousClock.now
    let (bytes, look) = try judge(folder, on: engine)
    for number in 0..<(warmup + steps) {
      let (start, used) = (number == 0 ? opening : .now, clock())
      try look(.made(image, seed: number))
      emit([
        "picture": number - warmup, "seconds": (ContinuousClock.now - start).seconds,
        "cpu_seconds": Double(clock() - used) / Double(CLOCKS_PER_SEC),
        "weight_bytes": bytes, "before_bytes": before.resident, "peak_bytes": ProcessMemory().peak,
      ])
    }
  }

  /// The network of a folder: the bytes of its weights, and what it does with a picture.
  private func judge(
    _ folder: String, on engine: Engine
  ) throws -> (bytes: Int, look: (RGBImage) throws -> Void) {
    let config = try Data(contentsOf: URL(fileURLWithPath: folder + "/config.json"))
    let json = try JSONSerialization.jsonObject(with: config) as? [String: Any]
    switch json?["model_type"] as? String {
    case "mask2former":
      let judge = try DetectionJudge(folder, on: engine)
      return (judge.component.byteCount, { _ = try judge($0) })
    case "clip":
      let judge = try CLIPJudge(folder, on: engine)
      let colors = ["red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black"]
      return (
        judge.component.byteCount, { _ = try judge.colorScores(colors, of: "cat", in: [$0]) }
      )
    default:
      let judge = try languageJudge(folder, baseDType(), half ? .bfloat16 : .float32, on: engine)
      return (
        judge.model.byteCount,
        { [questions] picture in
          _ = try judge.logits(judge.prompts(Self.asked(questions, about: [picture])))
        }
      )
    }
  }

  private func languageJudge(
    _ folder: String, _ storage: BaseDType, _ precision: Precision, on engine: Engine
  ) throws -> VisionLanguageJudge {
    try VisionLanguageJudge(folder, storage: storage, precision: precision, on: engine)
  }

  private func baseDType() throws -> BaseDType {
    guard let dtype = BaseDType(rawValue: storage.rawValue) else {
      throw ValidationError("Judges keep their weights as stored, bf16, int8 or int4.")
    }
    return dtype
  }

  /// Questions of nearly the same length.
  private static func asked(_ count: Int, about pictures: [RGBImage]) -> [Conversation] {
    let things = ["cats", "dogs", "red cars", "trees", "clouds", "people", "boats", "birds"]
    return (0..<count).map { number in
      let (thing, place) = (things[number % things.count], number / things.count)
      return Conversation(
        asking: "How many \(thing) are in part \(place)? Answer in one word.", about: pictures)
    }
  }

  /// Compares the probabilities of answers with those of the weights as stored, computed in f32.
  func compareJudgeWeights(on engine: Engine) throws {
    guard let folder else { throw ValidationError("--folder names the network.") }
    let pictures = (0..<steps).map { RGBImage.made(image, seed: $0) }
    /// For each answer the probabilities of all tokens.
    func answers(_ storage: BaseDType, _ precision: Precision) throws -> [[Double]] {
      let judge = try languageJudge(folder, storage, precision, on: engine)
      return try pictures.flatMap { picture in
        try judge.logits(judge.prompts(Self.asked(questions, about: [picture]))).map(Self.softmax)
      }
    }
    let reference = try answers(.stored, .float32)
    let first = reference.map { $0.firstIndex(of: $0.max()!)! }
    for storage in BaseDType.allCases {
      for precision in [Precision.float32, .bfloat16] where storage != .bfloat16 {
        let found =
          storage == .stored && precision == .float32
          ? reference : try answers(storage, precision)
        let differences = zip(found.indices, first).map { abs(found[$0][$1] - reference[$0][$1]) }
        let changed = zip(found, first).count { $0.firstIndex(of: $0.max()!)! != $1 }
        let own = zip(reference, first).map { $0[$1] }
        emit([
          "weights": storage.rawValue, "computed_in": precision.dtype.rawValue,
          "answers": found.count, "mean_probability": own.reduce(0, +) / Double(own.count),
          "mean_difference": differences.reduce(0, +) / Double(differences.count),
          "largest_difference": differences.max() ?? 0,
          "changed": Double(changed) / Double(found.count),
        ])
      }
    }
  }

  private static func softmax(_ logits: [Float]) -> [Double] {
    let most = logits.max() ?? 0
    let weights = logits.map { exp(Double($0 - most)) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }
}

extension RGBImage {
  /// A picture of colored bands, each seed another one.
  fileprivate static func made(_ side: Int, seed: Int) -> RGBImage {
    var values: [UInt8] = []
    values.reserveCapacity(side * side * 3)
    for y in 0..<side {
      for x in 0..<side {
        for channel in 0..<3 {
          let place = Double(x * (channel + 1 + seed % 3) + y * (3 - channel + seed % 5))
          values.append(UInt8(127.5 + 127 * sin(place * 6 / Double(side) + Double(seed))))
        }
      }
    }
    return RGBImage(width: side, height: side, values: values)
  }
}
