import Recipe

/// Parquet files with pictures in them, as recipes name them.
public struct ParquetData: PictureDataSet, LabelledDataSet {
  /// The name in recipes.
  public static let kinds = ["parquet"]

  /// The folder, the file, or the pattern of the files.
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
    Parquet files as Hugging Face's data sets have them: a column of prompts, texts or lists of texts, and a
    column of pictures, which holds their bytes or has a field `bytes`. Columns `ref1`, `ref2` … hold
    reference images. The program `duckdb` reads them; `scripts/setup --parquet` installs it.
    """

  /// The keys of recipes.
  public static let fields: [Field] =
    [
      Field(
        "files", path: \.path, "a Parquet file, a folder of them, or as in data-{00..12}.parquet"
      )
      .required.mayDiffer(.always),
      TextColumns.text(\.columns.text),
      TextColumns.image(\.columns.image, "the first of image, img and picture"),
    ] + pictureFields

  /// The same samples with their classes: those of the column `label` where the recipe names no other.
  public var labelled: any PromptDataSet {
    var set = self
    set.columns.text = columns.text ?? TextColumns.label
    return set
  }

  /// The name in recipes.
  public var kind: String { Self.kinds[0] }

  /// Reads the columns and the prompts.
  public func rows() throws -> any PictureRows {
    try ParquetRows(path, columns, options.references)
  }
}
