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
  /// There are fewer samples than a batch takes.
  case tooFewSamples(path: String, count: Int, batch: Int)
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
    case .noPrompt(let path):
      return "\(path) has no prompt: it is empty or not text in UTF-8. Write one prompt a line."
    case .tooFewSamples(let path, let count, let batch):
      return "\(path) has \(count) sample\(count == 1 ? "" : "s"), and a batch takes \(batch). "
        + "Add samples, or set batch to \(count) or less."
    case .wrongPosition(let reason):
      return "The saved position in the data does not match: \(reason). "
        + "Resume with the data and the batch size of the first run."
    }
  }
}
