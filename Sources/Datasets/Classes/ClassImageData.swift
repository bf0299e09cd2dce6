import Files
import Foundation
import Recipe
import Tensors

/// A folder with a subfolder of pictures for each class, as recipes name it, for class-conditional networks
/// of pixels, and with an autoencoder those of latents.
public struct ClassImageData: ArrayDataSet, LabelledDataSet {
  /// The name in recipes.
  public static let kinds = ["class-images"]

  /// Which part of a picture is taken.
  public enum Crop: String, Codable, CaseIterable, Sendable {
    /// The centre.
    case center
    /// Another part each time.
    case random
  }

  /// The folder.
  public var path = ""
  /// The number of classes.
  public var classes = 1
  /// The height and width that pictures are brought to, in pixels.
  public var size = [32, 32]
  /// 3 for colors, 1 for gray.
  public var channels = 3
  /// Which part of a picture is taken.
  public var crop = Crop.center
  /// Whether half of the pictures are mirrored.
  public var flip = false
  /// The color below transparent pixels.
  public var ground = [255, 255, 255]
  /// The most damaged pictures that are left out.
  public var maxDamaged = 10

  /// Names no folder.
  private init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = """
    A folder with a subfolder of PNG, JPEG and WebP pictures for each class, for networks that take classes;
    classes are numbered in the order of the names of the subfolders. Pictures are decoded for each batch,
    on all cores, and once before the start to find damaged ones; for networks of latents they are encoded
    once.
    """

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("folder", path: \.path, "folder of the subfolders").required.mayDiffer(.always),
    Field("classes", \.classes, in: 1...1 << 24, "number of subfolders").required,
    PictureField.size(\.size, "height and width that pictures are brought to, in pixels"),
    Field(
      "channels", \.channels, where: { [1, 3].contains($0) }, else: "it must be 1 or 3",
      "3 for colors, 1 for gray"),
    Field("crop", \.crop, "part of a picture that is taken: its center, or a random one each time"),
    Field("flip", \.flip, "whether half of the pictures are mirrored"),
    PictureField.ground(\.ground),
    PictureField.maxDamaged(\.maxDamaged),
  ]

  /// The name in recipes.
  public var kind: String { Self.kinds[0] }

  /// Pictures with their classes.
  public var arrays: [InputSpec] {
    [.sample([size[0], size[1], channels]), .classIndex(of: classes)]
  }

  /// The names of the subfolders in the order of the classes; none where these are not as many as the
  /// classes.
  public var classNames: [String] {
    let names = ((try? namesInFolder(path)) ?? []).filter { name in
      var isFolder: ObjCBool = false
      return !name.hasPrefix(".")
        && FileManager.default.fileExists(atPath: "\(path)/\(name)", isDirectory: &isFolder)
        && isFolder.boolValue
    }
    return names.count == classes ? names.sorted() : []
  }

  /// The same pictures with the names of their classes as prompts.
  func asImages() -> ImageData {
    var images = ImageData.defaults
    images.path = path
    images.options.size = size
    images.options.ground = ground
    images.options.maxDamaged = maxDamaged
    return images
  }

  /// The same pictures with the numbers of their classes.
  public var labelled: any PromptDataSet {
    var images = asImages()
    images.classes = classes
    images.options.flip = flip
    return images
  }

  /// Batches of pictures within ±1.
  public func batches(size batch: Int, seed: UInt64) throws -> any BatchSource {
    try batches(size: batch, seed: seed) { _ in }
  }

  /// Batches of pictures within ±1; what is left out is said.
  public func batches(
    size batch: Int, seed: UInt64, notice: (String) -> Void
  ) throws -> any BatchSource {
    let folder = try ClassFolder(path, classes: classes, limit: maxDamaged, notice: notice)
    guard folder.pictures.count >= batch else {
      throw DatasetError.tooFewSamples(path: path, count: folder.pictures.count, batch: batch)
    }
    return ClassImageBatches(folder, self, size: batch, seed: seed)
  }
}
