import Recipe

/// A table that names pictures and their prompts, as recipes name it.
public struct ManifestData: PictureDataSet, LabelledDataSet {
  /// The name in recipes.
  public static let kinds = ["manifest"]

  /// The file.
  public var path = ""
  /// The columns.
  public var columns = TextColumns()
  /// How pictures and texts are prepared.
  public var options = PictureOptions()

  /// Names no file.
  private init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = """
    A table of pictures and prompts: JSON lines, CSV or, between tabs, TSV. Paths of pictures are relative
    to its folder. A value of JSON lines may be a list of prompts, of which one is drawn each time that the
    picture is used. Columns `ref1`, `ref2` … name reference images. The table may have millions of rows.
    """

  /// The keys of recipes.
  public static let fields: [Field] =
    [
      Field("file", path: \.path, "file of the table: .jsonl, .csv or .tsv").required
        .mayDiffer(.always),
      TextColumns.text(\.columns.text),
      TextColumns.image(\.columns.image, "the first of image and file_name"),
    ] + pictureFields + maskFields("those that the column `mask` names")

  /// The same samples with their classes: those of the column `label` where the recipe names no other.
  public var labelled: any PromptDataSet {
    var set = self
    set.columns.text = columns.text ?? TextColumns.label
    return set
  }

  /// The name in recipes.
  public var kind: String { Self.kinds[0] }

  /// Finds the rows and checks each of them.
  public func rows() throws -> any PictureRows {
    try ManifestRows(path, columns, options.references, masks: options.masks)
  }
}
