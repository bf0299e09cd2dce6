import Recipe

/// A folder of pictures with captions, or with a subfolder for each class, as recipes name it.
public struct ImageData: PictureDataSet {
  /// The name in recipes.
  public static let kinds = ["images"]

  /// The folder.
  public var path = ""
  /// How pictures and texts are prepared.
  public var options = PictureOptions()
  /// The number of classes where the prompt of a picture is the number of its class; nil for captions or
  /// names of classes.
  var classes: Int?

  /// Names no folder.
  private init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = """
    A folder of PNG, JPEG and WebP pictures, with its subfolders. The prompts of `NAME.png` are in
    `NAME.txt` beside it, one a line; one is drawn each time that the picture is used. Where all pictures are
    in subfolders and there is no `.txt`, the prompt is the name of the subfolder. Pictures are resized to
    cover `size`, and their centre is cut out. For editing, `NAME.ref1.png`, `NAME.ref2.png` … beside a
    picture are the images that it is made from, and the prompt says how.
    """

  /// The keys of recipes.
  public static let fields: [Field] =
    [
      Field("folder", path: \.path, "folder of the pictures and their captions").required
        .mayDiffer(.always)
    ] + pictureFields + maskFields("`NAME.mask.png` or `NAME-masklabel.png` beside them")

  /// The name in recipes.
  public var kind: String { Self.kinds[0] }

  /// Lists the pictures and reads their captions.
  public func rows() throws -> any PictureRows {
    try ImageFolder(
      path, options.references, masks: options.masks, classes: classes)
  }
}
