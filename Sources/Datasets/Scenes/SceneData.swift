import Recipe
import Tensors

/// Fresh scenes of emoji with the objects in them, as recipes name them: what a detector is trained on.
public struct SceneData: ArrayDataSet {
  /// The name in recipes.
  public static let kinds = ["emoji-scenes"]

  /// The folder of scripts/emoji-data.
  public var folder: String
  /// Whether noise, blur and pictures of other things are added.
  public var distortion: Bool

  /// The values of absent keys.
  public static let defaults = Self(folder: "", distortion: true)

  /// The description in the reference.
  public static let summary = """
    Scenes of one to four emoji on a light ground, 64 × 64, with the classes, colors and boxes of the emoji; none
    is seen twice, and an emoji alone has any size. The emoji are those of `scripts/emoji-data`.
    """

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("folder", path: \.folder, "folder that scripts/emoji-data has written").required
      .mayDiffer(.always),
    Field(
      "distortion", \.distortion,
      "whether noise, blur, other emoji and blends of two are added, so that a detector can be used on "
        + "generated pictures"),
  ]

  /// The name in recipes.
  public var kind: String { Self.kinds[0] }

  /// Scenes, and their objects: class, color, center, width and height as fractions of the picture; −1 for
  /// none.
  public var arrays: [InputSpec] {
    [
      .sample([Scene.size, Scene.size, 3]), InputSpec("objects", [SceneRequest.mostObjects, 6]),
    ]
  }

  /// Batches of fresh scenes within ±1.
  public func batches(size: Int, seed: UInt64) throws -> any BatchSource {
    SceneBatches(try ScenePictures(folder), size: size, seed: seed, isDistorted: distortion)
  }
}

/// Batches of scenes.
struct SceneBatches: BatchSource {
  private let pictures: ScenePictures
  private let size: Int
  private let seed: UInt64
  private let isDistorted: Bool
  private var position = BatchNumber()

  init(_ pictures: ScenePictures, size: Int, seed: UInt64, isDistorted: Bool) {
    (self.pictures, self.size, self.seed) = (pictures, size, seed)
    self.isDistorted = isDistorted
  }

  var content: String { pictures.content }

  mutating func next(rows: Range<Int>) -> Named<HostArray> {
    let number = position.next()
    let (pictures, isDistorted) = (pictures, isDistorted)
    let first = UInt64(number) &* UInt64(size) &+ UInt64(rows.lowerBound)
    let start = seed
    let scenes = Parallel.map(rows.count) { row in
      var random = SplitMix64(start &+ 0x9E37_79B9 &* (first &+ UInt64(row) &+ 1))
      return pictures.example(isDistorted: isDistorted, using: &random)
    }
    let shape = Shape([rows.count, Scene.size, Scene.size, 3])
    return Named([
      (InputSpec.sample, HostArray(scenes.flatMap(\.values), shape: shape)),
      (
        "objects",
        HostArray(
          scenes.flatMap(\.objects), shape: [rows.count, SceneRequest.mostObjects, 6])
      ),
    ])
  }

  func saved() -> String { position.saved }

  mutating func restore(_ saved: String) throws { try position.restore(saved) }
}
