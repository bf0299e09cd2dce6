import Datasets

/// Whether pictures show what prompts of GenEval say, by objects that a detector found.
///
/// Everything is compared in f32, as the published code does: a score of f32(0.3) is not above 0.3.
public struct GenEvalRule: Sendable {
  /// The settings of the published code, by its names in comments.
  public struct Options: Hashable, Sendable {
    /// The score that objects must exceed: `threshold`.
    public var threshold: Float = 0.3
    /// The score that objects must exceed for the task `counting`: `counting_threshold`.
    public var countingThreshold: Float = 0.9
    /// The most objects of a class: `max_objects`.
    public var mostObjects = 16
    /// Of objects of a class that overlap so much or more only the best is kept; 1 for all:
    /// `max_overlap`.
    public var mostOverlap: Float = 1
    /// The fraction of the sizes that an offset must exceed: `position_threshold`.
    public var positionThreshold: Float = 0.1

    /// Makes the default settings.
    public init() {}
  }

  /// The settings.
  public var options: Options
  /// The classes of the detector in its order.
  public let classNames: [String]

  /// The colors, in the published order.
  public static let colors = [
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white",
  ]

  /// Makes a rule.
  public init(_ options: Options = Options(), classNames: [String] = Self.classes) {
    (self.options, self.classNames) = (options, classNames)
  }

  /// The objects of one class that count, best first.
  public struct Kept: Sendable {
    /// The class.
    public let className: String
    /// The objects.
    public let objects: [GenEvalDetection]
  }

  /// The objects of a picture that count, by class.
  public func kept(_ detections: [GenEvalDetection], tag: String) -> [Kept] {
    let threshold = tag == "counting" ? options.countingThreshold : options.threshold
    let byClass = Dictionary(grouping: detections.filter { $0.score > threshold }, by: \.className)
    return classNames.compactMap { name in
      guard let found = byClass[name] else { return nil }
      // Equal scores come in reverse, as from an ascending order read backwards.
      var waiting = found.enumerated().sorted {
        ($0.element.score, $0.offset) > ($1.element.score, $1.offset)
      }.prefix(options.mostObjects).map(\.element)
      var objects: [GenEvalDetection] = []
      while !waiting.isEmpty {
        let best = waiting.removeFirst()
        objects.append(best)
        if options.mostOverlap != 1 {
          waiting.removeAll { !(best.overlap(with: $0) < options.mostOverlap) }
        }
      }
      return objects.isEmpty ? nil : Kept(className: name, objects: objects)
    }
  }

  /// Judges a picture.
  ///
  /// - Parameter colors: the colors of objects of a class, which is called only where they matter.
  /// - Throws: what `colors` throws.
  public func judge<Failure: Error>(
    _ prompt: GenEvalPrompt, _ detections: [GenEvalDetection],
    colors: (_ className: String, _ objects: [GenEvalDetection]) throws(Failure) -> [String]
  ) throws(Failure) -> GenEvalResult {
    let kept = kept(detections, tag: prompt.tag)
    func objects(_ name: String) -> [GenEvalDetection] {
      kept.first { $0.className == name }?.objects ?? []
    }
    var reasons: [String] = []
    /// For each clause its objects, nil where it failed.
    var matched: [[GenEvalDetection]?] = []
    for clause in prompt.include {
      let found = Array(objects(clause.className).prefix(clause.count))
      var problem: String?
      if found.count < clause.count {
        problem = "expected \(clause.className)>=\(clause.count), found \(found.count)"
      } else {
        if let color = clause.color {
          problem = Self.wrongColors(try colors(clause.className, found), color, clause)
        }
        if problem == nil, let position = clause.position {
          problem = wrongPosition(found, matched[position.target], position, clause)
        }
      }
      if let problem { reasons.append(problem) }
      matched.append(problem == nil ? found : nil)
    }
    for clause in prompt.exclude {
      let count = objects(clause.className).count
      guard count >= clause.count else { continue }
      reasons.append("expected \(clause.className)<\(clause.count), found \(count)")
    }
    return GenEvalResult(
      prompt: prompt, isCorrect: reasons.isEmpty, reason: reasons.joined(separator: "\n"),
      kept: kept)
  }

  private static func wrongColors(
    _ found: [String], _ color: String, _ clause: GenEvalPrompt.Clause
  ) -> String? {
    func count(_ color: String) -> Int { found.count { $0 == color } }
    guard count(color) < clause.count else { return nil }
    let all = colors.filter(found.contains).map { "\(count($0)) \($0)" }.joined(separator: ", ")
    return
      "expected \(color) \(clause.className)>=\(clause.count), found \(count(color)) \(color); "
      + "and \(all)"
  }

  private func wrongPosition(
    _ found: [GenEvalDetection], _ targets: [GenEvalDetection]?, _ position: GenEvalPrompt.Position,
    _ clause: GenEvalPrompt.Clause
  ) -> String? {
    guard let targets else { return "no target for \(clause.className) to be \(position.relation)" }
    for object in found {
      for target in targets {
        let relations = object.relations(to: target, slack: options.positionThreshold)
        guard !relations.contains(position.relation) else { continue }
        return "expected \(clause.className) \(position.relation) target, found "
          + "\(relations.joined(separator: " and ")) target"
      }
    }
    return nil
  }
}

extension GenEvalRule {
  /// The 80 classes of COCO by GenEval's names, in the order of the detector.
  public static let classes = [
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "computer mouse", "tv remote",
    "computer keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator",
    "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
  ]
}

extension Benchmark {
  /// The rule of a benchmark whose pictures are judged by objects.
  var objectRule: GenEvalRule {
    guard self == .emojiCompositions else { return GenEvalRule() }
    var options = GenEvalRule.Options()
    // The detector is as sure of several objects as of one.
    options.countingThreshold = options.threshold
    return GenEvalRule(options, classNames: SceneClass.all.map(\.name))
  }
}
