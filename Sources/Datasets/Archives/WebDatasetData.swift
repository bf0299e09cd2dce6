import Recipe

/// Tar files in the convention of WebDataset, as recipes name them.
public struct WebDatasetData: PictureDataSet, LabelledDataSet {
  /// The name in recipes.
  public static let kinds = ["webdataset"]

  /// The folder, the file, or the pattern of the files.
  public var path = ""
  /// The keys of captions in JSON.
  public var columns = TextColumns()
  /// How pictures and texts are prepared.
  public var options = PictureOptions()

  /// Names no file.
  private init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = """
    Tar files in the convention of WebDataset: files that follow each other and have one name up to its
    first dot are a sample. `NAME.jpg`, `.png` or `.webp` is its picture; its prompts are the lines of
    `NAME.txt`, or a value of `NAME.json`, its class is in `NAME.cls`; `NAME.ref1.jpg` … are reference
    images. Compressed tar files are unpacked into a scratch file.
    """

  /// The keys of recipes.
  public static let fields: [Field] =
    [
      Field("files", path: \.path, "a tar file, a folder of them, or as in data-{000..012}.tar")
        .required.mayDiffer(.always),
      TextColumns.text(\.columns.text),
    ] + pictureFields

  /// The same samples with their classes: those of `NAME.cls` where the recipe names no other.
  public var labelled: any PromptDataSet {
    var set = self
    set.columns.text = columns.text ?? TextColumns.classFile
    return set
  }

  /// The name in recipes.
  public var kind: String { Self.kinds[0] }

  /// Lists the contents of all files.
  public func rows() throws -> any PictureRows {
    try TarRows(path, columns, options.references)
  }
}
