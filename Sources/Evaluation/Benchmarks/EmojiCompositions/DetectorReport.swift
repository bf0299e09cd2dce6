import Datasets
import Files
import Foundation
import Pictures

/// How well a detector finds the objects of scenes whose boxes are known.
public struct DetectorReport: Codable, Hashable, Sendable {
  /// The number of scenes.
  public let scenes: Int
  /// The number of objects in them.
  public let objects: Int
  /// The mean over classes of the area under precision by recall, with boxes that overlap by one half or
  /// more.
  public let averagePrecision: Double
  /// The fraction of the objects found that are there, with scores above the benchmark's threshold.
  public let precision: Double
  /// The fraction of the objects that are found.
  public let recall: Double
  /// The fraction of the objects found, of classes that come in several colors, whose color is right.
  public let colorAccuracy: Double
  /// The fraction of the scenes of which the number of objects of every class is right.
  public let exactCounts: Double
  /// The mean overlap of the boxes of objects found with the true ones.
  public let overlap: Double

  /// The least overlap of an object found with a true one.
  static let leastOverlap: Float = 0.5

  /// Measures what was found in scenes.
  ///
  /// - Parameter scenes: what is there, and what was found, at least one scene with an object.
  init(_ scenes: [(truth: [SceneFolder.Line.Object], found: [GenEvalDetection])]) {
    precondition(scenes.contains { !$0.truth.isEmpty }, "there is nothing to be found")
    let threshold = GenEvalRule.Options().threshold
    /// For each class the scores of what was found, with whether it is there.
    var byClass: [String: [(score: Float, isRight: Bool)]] = [:]
    var (found, right, colored, rightColors, exact) = (0, 0, 0, 0, 0)
    var overlaps = 0.0
    for scene in scenes {
      var open = scene.truth
      for detection in scene.found.sorted(by: { $0.score > $1.score }) {
        let overlap = { (object: SceneFolder.Line.Object) in
          object.name == detection.className ? boxOverlap(object.box, detection.box) : 0
        }
        let best = open.indices.max { overlap(open[$0]) < overlap(open[$1]) }
        let match = best.flatMap { overlap(open[$0]) >= Self.leastOverlap ? open[$0] : nil }
        byClass[detection.className, default: []].append((detection.score, match != nil))
        if match != nil { open.remove(at: best!) }
        guard detection.score > threshold else { continue }
        found += 1
        guard let match else { continue }
        right += 1
        overlaps += Double(boxOverlap(match.box, detection.box))
        guard let color = match.color else { continue }
        colored += 1
        rightColors += color == detection.color ? 1 : 0
      }
      let counted = { (names: [String]) in Dictionary(grouping: names) { $0 }.mapValues(\.count) }
      let own = scene.found.filter { $0.score > threshold }.map(\.className)
      exact += counted(own) == counted(scene.truth.map(\.name)) ? 1 : 0
    }
    let totals = Dictionary(grouping: scenes.flatMap(\.truth), by: \.name).mapValues(\.count)
    let precisions = totals.map { name, count in
      Self.averagePrecision(byClass[name] ?? [], of: count)
    }
    self.scenes = scenes.count
    objects = totals.values.reduce(0, +)
    averagePrecision = precisions.reduce(0, +) / Double(precisions.count)
    func fraction(_ part: Int, _ whole: Int) -> Double {
      whole == 0 ? 0 : Double(part) / Double(whole)
    }
    precision = fraction(right, found)
    recall = fraction(right, objects)
    colorAccuracy = fraction(rightColors, colored)
    exactCounts = fraction(exact, scenes.count)
    overlap = right == 0 ? 0 : overlaps / Double(right)
  }

  /// The area under the precision, made to fall with recall, of one class.
  static func averagePrecision(
    _ found: [(score: Float, isRight: Bool)], of count: Int
  ) -> Double {
    var (right, precisions) = (0, [Double]())
    for (number, one) in found.sorted(by: { $0.score > $1.score }).enumerated() where one.isRight {
      right += 1
      precisions.append(Double(right) / Double(number + 1))
    }
    // The precision at a recall is the best one at this or a higher recall.
    var (best, sum) = (0.0, 0.0)
    for precision in precisions.reversed() {
      best = max(best, precision)
      sum += best
    }
    return sum / Double(count)
  }

  /// Measures a detector on the test scenes of a folder.
  ///
  /// - Parameters:
  ///   - folder: that of twinflow data emoji-scenes.
  ///   - progress: called with the number of scenes seen, and their number.
  /// - Throws: `FileError`, `BenchmarkError.damagedLine`, the errors of pictures and of the plugin.
  public init(
    _ detector: SceneDetector, folder: String, _ progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    let path = "\(folder)/\(SceneFolder.test)"
    let lines = try JSONLines.read(path) { try SceneFolder.Line($0) }
    guard lines.contains(where: { !$0.objects.isEmpty }) else {
      throw BenchmarkError.otherFile(
        path: path, benchmark: Benchmark.emojiCompositions.title, reason: "it has no objects")
    }
    self.init(
      try lines.enumerated().map { number, line in
        defer { progress(number + 1, lines.count) }
        let picture = try RGBImage(contentsOf: "\(folder)/\(line.file)")
        return (line.objects, try detector.detections(in: picture))
      })
  }

  /// The figures, a line each.
  public var text: String {
    func percent(_ value: Double) -> String { String(format: "%.2f %%", value * 100) }
    return AlignedTable.text([
      ["\(scenes) scenes with \(objects) objects", ""],
      ["average precision", percent(averagePrecision)], ["precision", percent(precision)],
      ["recall", percent(recall)], ["overlap of boxes", percent(overlap)],
      ["color accuracy", percent(colorAccuracy)], ["exact counts", percent(exactCounts)],
    ])
  }
}

extension SceneFolder.Line {
  /// Reads a line of a file of boxes.
  init(_ value: JSON) throws(RowFault) {
    let members = try JSONMembers(value)
    var objects: [Object] = []
    for element in try members.list("objects") {
      // A detection without a score.
      let own = try JSONMembers(element, "an object")
      let name = try own.string("class")
      let box = try own.list("box").compactMap(\.double).map { Float($0) }
      guard box.count == 4 else { throw RowFault("the `box` of a \(name) is not four numbers") }
      objects.append(
        Object(
          name: name, color: try own["color"] == nil ? nil : own.string("color"), box: box))
    }
    self.init(file: try members.string("file"), objects: objects)
  }
}
