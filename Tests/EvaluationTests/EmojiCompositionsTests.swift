import Files
import Foundation
import Pictures
import TestSupport
import Testing

@testable import Datasets
@testable import Evaluation

@Suite struct EmojiCompositionsTests {
  private let files: BenchmarkFiles
  private static let root =
    URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").path

  init() throws { files = try BenchmarkFiles() }

  /// Cells without objects, and some with one.
  private func peaks(
    _ objects: [(row: Int, column: Int, label: Int, score: Float, box: [Float])]
  ) -> [DetectorPeaks.Peak] {
    let (side, classes) = (8, 3)
    var scores = [Float](repeating: 0.01, count: side * side * classes)
    var boxes = [Float](repeating: 0, count: side * side * 4)
    var colors = [Float](repeating: 0, count: side * side * 2)
    for object in objects {
      let cell = object.row * side + object.column
      scores[cell * classes + object.label] = object.score
      boxes.replaceSubrange(cell * 4..<cell * 4 + 4, with: object.box)
      colors[cell * 2 + 1] = 1
    }
    return DetectorPeaks(
      side: side, classes: classes, colors: 2, scores: scores, boxes: boxes, colorLogits: colors
    ).found
  }

  @Test func peaksAreObjects() {
    let found = peaks([
      (2, 3, 1, 0.9, [0.25, -0.5, 2, 4]), (2, 4, 2, 0.5, [0, 0, 2, 2]),
      (6, 6, 0, 0.95, [0, 0, 2, 2]), (0, 0, 0, 0.05, [0, 0, 1, 1]),
    ])
    // The neighbor of a better cell is none, and neither is a low score.
    #expect(found.map(\.label) == [0, 1] && found.map(\.score) == [0.95, 0.9])
    #expect(found[1].box == [2.75, 0, 4.75, 4] && found[1].color == 1)
  }

  @Test func equalNeighborsAndOverlapsAreOneObject() {
    let box: [Float] = [0, 0, 4, 4]
    #expect(peaks([(2, 2, 0, 0.8, box), (2, 3, 0, 0.8, box)]).count == 1)
    // Three cells apart the boxes still have much in common where they are large.
    #expect(peaks([(2, 2, 0, 0.8, [0, 0, 9, 9]), (2, 4, 0, 0.7, [0, 0, 9, 9])]).count == 1)
    #expect(peaks([(2, 2, 0, 0.8, box), (2, 6, 0, 0.7, box)]).count == 2)
  }

  @Test func averagePrecisionIsTheAreaUnderTheCurve() {
    let found: [(score: Float, isRight: Bool)] = [
      (0.9, true), (0.8, false), (0.7, true), (0.6, false),
    ]
    // Precision 1 up to a recall of 1/2 and 2/3 up to 1, of two objects.
    let value = DetectorReport.averagePrecision(found, of: 2)
    #expect(abs(value - (1 + 2.0 / 3) / 2) < 1e-12)
    #expect(DetectorReport.averagePrecision(found, of: 4) == value / 2)
    #expect(DetectorReport.averagePrecision([], of: 3) == 0)
  }

  @Test func reportsCountWhatIsFound() {
    func truth(_ name: String, _ color: String? = nil, x: Float) -> SceneFolder.Line.Object {
      .init(name: name, color: color, box: [x, 0, x + 10, 10])
    }
    func found(
      _ name: String, _ color: String? = nil, x: Float, _ score: Float = 0.9
    ) -> GenEvalDetection {
      GenEvalDetection(className: name, box: [x, 0, x + 10, 10], score: score, color: color)
    }
    let report = DetectorReport([
      (
        [truth("cat", x: 0), truth("apple", "red", x: 30)],
        [found("cat", x: 1), found("apple", "green", x: 30)]
      ),
      (
        [truth("cat", x: 0), truth("cat", x: 30)],
        [found("cat", x: 0), found("cat", x: 4, 0.8), found("dog", x: 30, 0.2)]
      ),
    ])
    #expect(report.scenes == 2 && report.objects == 4)
    // One of the four with a score above 0.3 is at no cat.
    #expect(report.precision == 0.75 && report.recall == 0.75)
    #expect(report.colorAccuracy == 0 && report.exactCounts == 1)
    // Cats: two of three found, in the order 1, 1, 0.
    #expect(abs(report.averagePrecision - (2.0 / 3 + 1) / 2) < 1e-12)
    #expect(report.text.contains("75.00 %"))
  }

  @Test func realScenesAreRightByTheRule() throws {
    try EmojiPictures.write(to: files.path + "/emoji")
    let pictures = try ScenePictures(files.path + "/emoji")
    let set = try BenchmarkSet(
      .emojiCompositions, "\(Self.root)/\(Benchmark.emojiCompositions.shipped!)")
    guard case .geneval(let prompts) = set.content else { preconditionFailure() }
    let rule = Benchmark.emojiCompositions.objectRule
    let requests = SceneRequest.benchmark
    #expect(prompts.map(\.prompt) == requests.map(\.prompt))
    #expect(prompts.map(\.isHeldOut) == requests.map(\.isHeldOut))
    for number in stride(from: 0, to: requests.count, by: 6) {
      var random = SplitMix64(UInt64(number))
      let scene = pictures.scene(requests[number], using: &random)
      let truth = scene.objects.map { object in
        GenEvalDetection(
          className: object.object.name, box: object.box.map { Float($0) }, score: 0.95,
          color: object.color)
      }
      func judged(_ found: [GenEvalDetection]) -> GenEvalResult {
        rule.judge(prompts[number], found) { _, objects in objects.map { $0.color ?? "" } }
      }
      #expect(judged(truth).isCorrect, "\(prompts[number].prompt): \(judged(truth).reason)")
      // Nothing is right without an object, and no count with one more.
      #expect(!judged(Array(truth.dropFirst())).isCorrect)
      if prompts[number].tag == "counting" { #expect(!judged(truth + [truth[0]]).isCorrect) }
    }
  }

  @Test func heldOutPromptsHaveAFigure() throws {
    try files.write(
      #"{"tag": "counting", "include": [{"class": "cat", "count": 1}], "prompt": "one cat"}"#
        + "\n"
        + #"{"tag": "colors", "include": [{"class": "car", "count": 1, "color": "red"}], "#
        + #""prompt": "a red car", "held_out": true}"# + "\n", to: "prompts.jsonl")
    for item in 0..<2 { try files.picture("0000\(item)/samples/0000.png") }
    try files.write(
      BenchmarkFiles.line("00000/samples/0000.png", "cat")
        + BenchmarkFiles.line("00001/samples/0000.png", "car", color: "blue"),
      to: "detections.jsonl")
    let scores = try files.scoring(.emojiCompositions, "prompts.jsonl", count: 1).scores()
    #expect(scores.overall.value == 0.5)
    let further = Dictionary(uniqueKeysWithValues: scores.further.map { ($0.name, $0.value) })
    #expect(further["held-out combinations"] == 0)
    #expect(further["combinations of training"] == 1)
    #expect(scores.pictures[1].objects?.map(\.className) == ["car"])
    // The classes are those of scenes, not COCO's.
    try files.write(BenchmarkFiles.line("00000/samples/0000.png", "cow"), to: "detections.jsonl")
    let error = #expect(throws: BenchmarkError.self) {
      try files.scoring(.emojiCompositions, "prompts.jsonl", count: 1, isPartial: true).scores()
    }
    #expect("\(error!)".contains("not one of the 34 classes"))
  }

  @Test func theShippedDetectorIsLoaded() throws {
    let engine = try SharedEngine.get()
    let path = "\(Self.root)/\(SceneDetector.shipped)"
    #expect(try SceneDetector.isDetector(path))
    let detector = try SceneDetector(path, on: engine)
    let white = RGBImage(width: 64, height: 64, values: .init(repeating: 255, count: 64 * 64 * 3))
    #expect(try detector.detections(in: white).filter { $0.score > 0.3 }.isEmpty)
    // A red disc of a fourth of the picture's width is a red circle, at its place, at any size.
    for size in [64, 192] {
      let (center, radius) = (Double(size) / 4, Double(size) / 5)
      let found = try detector.detections(in: Self.redDisc(size: size, radius: radius))
        .filter { $0.score > 0.3 }
      #expect(found.map(\.className) == ["circle"] && found.map(\.color) == ["red"])
      let (middle, width) = (found[0].center, found[0].size.width)
      #expect(abs(Double(middle.x) - center * 2) < Double(size) / 20)
      #expect(abs(Double(width) - radius * 2) < Double(size) / 10)
    }
  }

  @Test func picturesAreScoredAsTheyAreMade() throws {
    let scoring = try SceneScoring(on: SharedEngine.get())
    let prompts = ["a red circle", "a green circle", "three circles", "a cat"]
    try scoring.check(prompts, path: "real.jsonl")
    // Also one that nearly fills the picture.
    for radius in [13.0, 30] {
      let picture = Self.redDisc(size: 64, radius: radius)
      let results = try prompts.map { try scoring.result(of: picture, $0) }
      #expect(results.map(\.isCorrect) == [true, false, false, false])
    }
    let error = #expect(throws: BenchmarkError.self) {
      try scoring.check(["a cat", "a fox"], path: "real.jsonl")
    }
    #expect("\(error!)".contains("\"a fox\" is not one of its prompts"))
  }

  /// A disc in the middle of a white picture.
  private static func redDisc(size: Int, radius: Double) -> RGBImage {
    let middle = Double(size) / 2
    let values = (0..<size * size).flatMap { pixel -> [UInt8] in
      let (x, y) = (Double(pixel % size) - middle, Double(pixel / size) - middle)
      return x * x + y * y < radius * radius ? [239, 62, 54] : [255, 255, 255]
    }
    return RGBImage(width: size, height: size, values: values)
  }

  @Test func otherWeightsAreNoDetector() throws {
    let path = "\(Self.root)/Assets/fashion-mnist-classifier.safetensors"
    #expect(try !SceneDetector.isDetector(path))
    let error = #expect(throws: BenchmarkError.self) {
      try SceneDetector(path, on: SharedEngine.get())
    }
    #expect("\(error!)".contains("it is a classifier, and a detector is needed"))
  }
}
