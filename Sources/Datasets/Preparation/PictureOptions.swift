import Pictures
import Recipe

/// How pictures and their texts are prepared: the keys that data sets of pictures with prompts share.
public struct PictureOptions: Hashable, Sendable {
  /// The height and width that pictures are brought to, in pixels.
  public var size = [512, 512]
  /// Further heights and widths; a picture gets that of the nearest aspect ratio.
  public var buckets: [[Int]] = []
  /// The random parts that are taken of each picture; 0 for its centre.
  public var randomCrops = 0
  /// Whether each picture is also used mirrored.
  public var flip = false
  /// The color below transparent pixels: red, green and blue.
  public var ground = [255, 255, 255]
  /// The orders of the tags of a caption, of which one is drawn.
  public var captionOrders = 1
  /// The most damaged pictures that are left out.
  public var maxDamaged = 10
  /// The number of reference images of a picture, for editing.
  public var references = 0
  /// The height and width that reference images are brought to, in pixels.
  public var referenceSize = [512, 512]
  /// The tokens that texts are padded to.
  public var textTokens: Int?
  /// Whether pictures may have masks.
  public var masks = false
  /// The weight in the loss where a mask is black.
  public var unmaskedWeight = 0.1

  /// The sizes of all buckets, `size` first.
  var sizes: [[Int]] { [size] + buckets.filter { $0 != size } }

  /// What becomes of transparent pixels.
  var transparency: RGBImage.Transparency {
    .over(red: UInt8(ground[0]), green: UInt8(ground[1]), blue: UInt8(ground[2]))
  }
}

/// A data set of pictures with prompts, in any form on disk.
public protocol PictureDataSet: PromptDataSet {
  /// The file or folder.
  var path: String { get set }

  /// How pictures and texts are prepared.
  var options: PictureOptions { get set }

  /// Opens the data. What is wrong with single rows is noted among their problems.
  ///
  /// - Throws: `DatasetError` and `FileError` where the data cannot be opened at all.
  func rows() throws -> any PictureRows
}

extension PictureDataSet {
  /// The height and width that pictures are brought to.
  public var size: [Int] { options.size }

  /// The heights and widths of all buckets.
  public var sizes: [[Int]] { options.sizes }

  /// The tokens that texts are padded to.
  public var textTokens: Int? { options.textTokens }

  /// There are.
  public var hasPictures: Bool { true }

  /// The number of reference images of a picture.
  public var references: Int { options.references }

  /// The height and width that reference images are brought to.
  public var referenceSize: [Int] { options.referenceSize }

  /// The most damaged pictures that are left out.
  public var maxDamaged: Int { options.maxDamaged }

  /// Whether pictures may have masks.
  public var masks: Bool { options.masks }

  /// The weight in the loss where a mask is black.
  public var unmaskedWeight: Double { options.unmaskedWeight }

  /// Opens the data and checks every row; pictures are not decoded.
  public func samples() throws -> any PromptSamples {
    let rows = try rows()
    try rows.problems.check()
    guard rows.count > 0 else {
      throw DatasetError.noSamples(
        path: rows.path, expected: "PNG, JPEG or WebP picture with a caption")
    }
    return try PictureSamples(rows, options)
  }

  /// The keys of recipes beside those that say where the data are.
  static var pictureFields: [RecipeField<Self>] {
    [
      PictureField.size(\.options.size, "height and width that pictures are brought to, in pixels"),
      RecipeField(
        "buckets", \.options.buckets,
        where: { $0.allSatisfy(PictureField.isSize) && $0.count < 256 },
        else: "it must be a list of heights and widths in pixels, as in [[448, 576], [576, 448]]",
        "further sizes; a picture gets that of the nearest aspect ratio, and a batch has one size"),
      RecipeField(
        "random_crops", \.options.randomCrops, in: 0...1000,
        "random parts that are taken of each picture; 0: its centre"),
      RecipeField("flip", \.options.flip, "whether each picture is also used mirrored"),
      PictureField.ground(\.options.ground),
      RecipeField(
        "caption_orders", \.options.captionOrders, in: 1...100,
        "orders of the comma-separated tags of a caption, of which one is drawn; 1: as written"),
      PictureField.maxDamaged(\.options.maxDamaged),
      RecipeField(
        "references", \.options.references, in: 0...8,
        "reference images of each picture, for editing"),
      RecipeField(
        "reference_size", \.options.referenceSize, where: PictureField.isSize,
        else: PictureField.sizeRule,
        "height and width that reference images are brought to, multiples of 32"
      ).otherwise("`size`") { $0.options.referenceSize = $0.options.size },
      PictureField.textTokens(\.options.textTokens),
    ]
  }

  /// The keys of data sets whose pictures may have masks.
  ///
  /// - Parameter place: where a mask is.
  static func maskFields(_ place: String) -> [RecipeField<Self>] {
    [
      RecipeField("masks", \.options.masks, "whether pictures may have masks: \(place)"),
      RecipeField(
        "unmasked_weight", \.options.unmaskedWeight, in: 0...1,
        "weight in the loss where a mask is black; it is 1 where it is white"),
    ]
  }
}
