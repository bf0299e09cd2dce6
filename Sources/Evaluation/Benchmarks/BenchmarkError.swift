/// What can go wrong with a benchmark, besides the errors of files, models and the plugin.
public enum BenchmarkError: Error, Equatable, CustomStringConvertible {
  /// A line of a benchmark's prompts or of what judges found is not as it should be.
  case damagedLine(path: String, line: Int, reason: String)
  /// A file is not of the benchmark, or of another version of it.
  case otherFile(path: String, benchmark: String, reason: String)
  /// A benchmark's prompts are not part of this program.
  case noPrompts(benchmark: String, source: String)
  /// A folder lacks pictures, or has some that are not of the prompts.
  case otherPictures(folder: String, missing: [String], extra: [String])
  /// A picture cannot be scored.
  case unusablePicture(path: String, reason: String)
  /// A picture has a place that generation needs, and was not made by this program.
  case foreignPicture(path: String)
  /// There are no findings of some pictures.
  case noFindings(path: String, kind: String, missing: [String], of: Int)
  /// Findings name pictures that are not there.
  case unknownPictures(path: String, names: [String])
  /// A run has been made, and nobody has judged it.
  case notJudged(folder: String, file: String, content: String)
  /// A network cannot judge the pictures of a benchmark.
  case otherJudge(path: String, reason: String)
  /// What a run's file holds was found by another judge.
  case mixedJudges(path: String, found: String, given: String)
  /// A folder has no runs of benchmarks.
  case noRuns(path: String)
  /// The record of a run cannot be read.
  case damagedRun(path: String, reason: String)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .damagedLine(let path, let line, let reason):
      "\(path), line \(line): \(reason). Correct the line, or get the file again."
    case .otherFile(let path, let benchmark, let reason):
      "\(path) is not what \(benchmark) needs: \(reason). Name the file of the version that the pictures "
        + "were made with."
    case .noPrompts(let benchmark, let source):
      "The prompts of \(benchmark) are not part of this program: get them from \(source) and name the file "
        + "with --prompts."
    case .otherPictures(let folder, let missing, let extra):
      "The pictures in \(folder) are not those of the prompts: "
        + [
          missing.isEmpty ? nil : "\(missing.count) missing (\(Self.some(missing)))",
          extra.isEmpty ? nil : "\(extra.count) of no prompt (\(Self.some(extra)))",
        ].compactMap { $0 }.joined(separator: ", ")
        + ". Make or remove them, or score those that are there with --partial."
    case .unusablePicture(let path, let reason):
      "\(path) cannot be scored: \(reason). Make it again; what was scored before is kept."
    case .foreignPicture(let path):
      "\(path) was not made by this program, so it is not replaced. Move it away, or choose another folder "
        + "with --out."
    case .noFindings(let path, let kind, let missing, let count):
      "\(path) has no \(kind) of \(missing.count) of \(count) pictures (\(Self.some(missing))). Add them, or "
        + "score the others with --partial."
    case .unknownPictures(let path, let names):
      "\(path) names \(names.count) picture\(names.count == 1 ? "" : "s") that "
        + "\(names.count == 1 ? "is" : "are") not among those of the prompts (\(Self.some(names))). Name the "
        + "file of these pictures, or score those that are known with --partial."
    case .notJudged(let folder, let file, let content):
      "The pictures in \(folder) have not been judged: name networks that judge them, see twinflow score "
        + "--help, or put \(content) into \(file) and run twinflow score again. docs/evaluation.md describes "
        + "the file."
    case .otherJudge(let path, let reason):
      "\(path) cannot judge the pictures: \(reason)."
    case .mixedJudges(let path, let found, let given):
      "\(path) holds what another judge found, \(found), and the given one is \(given). Score with the same "
        + "judge or with none; to have all pictures judged anew, move the file away."
    case .noRuns(let path):
      "No run of a benchmark is in \(path): name the --out folder of twinflow evaluate --benchmark, or a "
        + "folder of pictures with --benchmark."
    case .damagedRun(let path, let reason):
      "\(path) is not the record of a run of a benchmark: \(reason). Make the run again with twinflow "
        + "evaluate --benchmark."
    }
  }

  /// The first of many names.
  private static func some(_ names: [String]) -> String {
    let most = 8
    return names.prefix(most).joined(separator: ", ") + (names.count > most ? ", …" : "")
  }
}
