/// What can be wrong with a data set.
public enum DatasetError: Error, Equatable, CustomStringConvertible {
  /// A file is missing.
  case missing(path: String, package: String?)
  /// A file is not a gzip file, or is truncated or damaged.
  case damagedGZip(path: String, reason: String)
  /// A file is not an IDX file, or is truncated or damaged.
  case damagedIDX(path: String, reason: String)
  /// Two files do not match, or a file does not hold what its name says.
  case inconsistent(path: String, reason: String)
  /// A folder or file of samples has none.
  case noSamples(path: String, expected: String)
  /// A picture or a reference image is missing beside another file.
  case missingBeside(path: String, missing: String)
  /// A file has no prompt.
  case noPrompt(path: String)
  /// A caption has no picture.
  case captionAlone(path: String)
  /// A row of a table cannot be used.
  case damagedRow(path: String, line: Int, reason: String)
  /// A tar file is truncated, damaged or not one.
  case damagedTar(path: String, reason: String)
  /// A Parquet file is damaged, or its columns are others than expected.
  case damagedParquet(path: String, reason: String)
  /// The program that reads Parquet is missing; the path that was named for it.
  case noDuckDB(named: String?)
  /// Several things are wrong with a data set.
  case several(first: String, others: Int)
  /// More pictures are damaged than may be left out.
  case tooManyDamaged(path: String, count: Int, limit: Int, last: String)
  /// A folder has another number of classes than the recipe.
  case otherClasses(path: String, found: Int, expected: Int)
  /// There are fewer samples than a batch takes.
  case tooFewSamples(path: String, count: Int, batch: Int)
  /// Data that come with the program or are made by it.
  case notInspected(kind: String)
  /// A saved position is of another stream.
  case wrongPosition(reason: String)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .missing(let path, let package):
      let hint = package.map {
        " It comes with Debian's package \($0): run scripts/setup, or name another folder."
      }
      return "There is no file \(path).\(hint ?? "")"
    case .damagedGZip(let path, let reason):
      return "\(path) is truncated or not a gzip file: \(reason). Install or download it again."
    case .damagedIDX(let path, let reason):
      return "\(path) is truncated or not an IDX file: \(reason). Install or download it again."
    case .inconsistent(let path, let reason):
      return "\(path) does not hold what it should: \(reason)."
    case .noSamples(let path, let expected):
      return "\(path) has no \(expected). Name the folder or file of the training data."
    case .missingBeside(let path, let missing):
      return "\(path) has no \(missing) beside it, which training needs. "
        + "Add it, or move the picture away."
    case .notInspected(let kind):
      return "The data of the recipe are \(kind), which is not a folder or file of pictures or "
        + "prompts. Name one."
    case .noPrompt(let path):
      return "\(path) has no prompt: it is empty or not text in UTF-8. Write one prompt a line."
    case .captionAlone(let path):
      return "\(path) has no picture beside it. Add the picture, or move the text away."
    case .damagedRow(let path, let line, let reason):
      return "\(path), line \(line), cannot be used: \(reason). Correct or remove it."
    case .damagedTar(let path, let reason):
      return "\(path) is truncated, damaged or not a tar file: \(reason). Make or copy it again."
    case .damagedParquet(let path, let reason):
      return "\(path) cannot be read as Parquet with pictures and prompts: \(reason)."
    case .noDuckDB(let named):
      return
        (named.map { "TWINFLOW_DUCKDB is \($0), which is not a program. " }
        ?? "The program duckdb, which reads Parquet, was not found. ")
        + "Install it with scripts/setup --parquet, or with: pip install duckdb-cli"
    case .several(let first, let others):
      return "\(first) \(others) more \(others == 1 ? "row" : "rows") cannot be used either: "
        + "twinflow data inspect lists them."
    case .tooManyDamaged(let path, let count, let limit, let last):
      let some = count == 1 ? "1 picture of \(path) is" : "\(count) pictures of \(path) are"
      return "\(some) damaged, and at most \(limit) may be left out. The last "
        + "one: \(last) Replace them, or raise data.max_damaged."
    case .otherClasses(let path, let found, let expected):
      return "\(path) has \(found) folder\(found == 1 ? "" : "s") of pictures, and data.classes is "
        + "\(expected). Set it to \(found), or name another folder."
    case .tooFewSamples(let path, let count, let batch):
      return "\(path) has \(count) sample\(count == 1 ? "" : "s"), and a batch takes \(batch). "
        + "Add samples, or set batch to \(count) or less."
    case .wrongPosition(let reason):
      return "The saved position in the data does not match: \(reason). "
        + "Resume with the data and the batch size of the first run."
    }
  }
}
