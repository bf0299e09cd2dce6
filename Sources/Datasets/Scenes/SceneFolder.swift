import Files
import Foundation
import Pictures

/// A folder of scenes: pictures with their prompts for text-to-scene models, scenes with boxes for measuring
/// detectors, and a real scene for each prompt of the benchmark.
///
/// - `train/00000.png`, `train/00000.txt`: scenes without held-out combinations, and their prompts, one a
///   line; `train.jsonl` has their boxes.
/// - `test/00000.png`, `test.jsonl`: scenes of all combinations with their boxes; an object alone has any size.
/// - `prompts.jsonl`: the prompts of the benchmark, as GenEval has them.
/// - `real/00000/samples/0000.png`: scenes of these prompts, in the layout of the benchmark; `real.jsonl` names
///   the first one of each prompt.
public struct SceneFolder {
  private let pictures: ScenePictures
  private let seed: UInt64

  /// The file of the boxes of test scenes.
  public static let test = "test.jsonl"

  /// A prompt with a real scene of it.
  private struct RealLine: Encodable {
    let prompt: String
    let picture: String
    let split: String
  }

  /// Prepares a folder.
  public init(_ pictures: ScenePictures, seed: UInt64) {
    (self.pictures, self.seed) = (pictures, seed)
  }

  /// How often tasks occur among training scenes.
  private static let mix: [SceneRequest.Task] = [
    .oneObject, .oneObject, .oneObject, .colors, .colors, .twoObjects, .twoObjects, .counting,
    .counting, .position, .position, .attribution,
  ]

  /// A line about the boxes of a scene.
  public struct Line: Codable, Sendable {
    /// An object.
    public struct Object: Codable, Sendable {
      /// The class.
      public let name: String
      /// The color, nil for classes without a choice.
      public let color: String?
      /// Left, top, right and bottom in pixels.
      public let box: [Float]

      /// Describes an object.
      public init(name: String, color: String?, box: [Float]) {
        (self.name, self.color, self.box) = (name, color, box)
      }

      enum CodingKeys: String, CodingKey {
        case name = "class"
        case color, box
      }
    }

    /// The picture, relative to the file.
    public let file: String
    /// What it shows.
    public let objects: [Object]

    /// Describes a scene.
    public init(file: String, objects: [Object]) { (self.file, self.objects) = (file, objects) }
  }

  /// Writes the folder.
  ///
  /// - Parameters:
  ///   - training: the number of training scenes.
  ///   - test: the number of test scenes.
  ///   - samples: the number of real scenes of each prompt.
  ///   - progress: called with the number of scenes written.
  /// - Throws: `FileError`.
  public func write(
    to target: String, training: Int, test: Int, samples: Int, _ progress: (Int) -> Void = { _ in }
  ) throws {
    let folder = try StagedFolder(target)
    let manager = FileManager.default
    for name in ["train", "test"] {
      try manager.createDirectory(
        atPath: "\(folder.path)/\(name)", withIntermediateDirectories: true)
    }
    var count = 0
    /// Files of a folder that is not there yet need no care of their own.
    func save(_ data: Data, _ name: String) throws {
      let path = "\(folder.path)/\(name)"
      guard manager.createFile(atPath: path, contents: data) else {
        throw FileError.unwritable(path: path, reason: "it cannot be written")
      }
    }
    func save(_ lines: [String], _ name: String) throws {
      try save(Data((lines.joined(separator: "\n") + "\n").utf8), name)
    }
    func write(_ scene: Scene, _ name: String) throws -> String {
      try save(scene.picture.picture.png(), name)
      count += 1
      progress(count)
      let objects = scene.objects.map { object in
        Line.Object(
          name: object.object.name, color: object.color, box: object.box.map { Float($0) })
      }
      return try JSONFile.text(Line(file: name, objects: objects))
    }
    let trained = try (0..<training).map { number -> String in
      var random = SplitMix64(seed &+ 0x9E37_79B9 &* UInt64(number + 1))
      var request: SceneRequest
      repeat {
        request = SceneRequest(random: Self.mix[number % Self.mix.count], using: &random)
      } while request.isHeldOut
      let stem = "train/\(Self.padded(number))"
      try save(request.prompts, "\(stem).txt")
      return try write(pictures.scene(request, using: &random), "\(stem).png")
    }
    try save(trained, "train.jsonl")
    let tasks = SceneRequest.Task.allCases
    let tested = try (0..<test).map { number -> String in
      var random = SplitMix64(seed &+ 0xC2B2_AE3D &* UInt64(number + 1))
      let request = SceneRequest(random: tasks[number % tasks.count], using: &random)
      return try write(
        pictures.scene(request, hasAnySize: true, using: &random), "test/\(Self.padded(number)).png"
      )
    }
    try save(tested, Self.test)
    try save(ScenePromptLine.benchmark, "prompts.jsonl")
    var real: [String] = []
    for (number, request) in SceneRequest.benchmark.enumerated() {
      let place = "real/\(Self.padded(number))/samples"
      try manager.createDirectory(
        atPath: "\(folder.path)/\(place)", withIntermediateDirectories: true)
      for sample in 0..<samples {
        var random = SplitMix64(seed &+ 0x1656_67B1 &* UInt64(number * samples + sample + 1))
        _ = try write(
          pictures.scene(request, using: &random),
          "\(place)/000\(sample).png")
      }
      real.append(
        try JSONFile.text(
          RealLine(
            prompt: request.prompt, picture: "\(place)/0000.png",
            split: request.isHeldOut ? "held-out" : "training")))
    }
    if samples > 0 { try save(real, "real.jsonl") }
    try folder.commit()
  }

  private static func padded(_ number: Int) -> String {
    let text = "\(number)"
    return String(repeating: "0", count: max(0, 5 - text.count)) + text
  }
}
