import ArgumentParser
import Evaluation
import Files
import Foundation

/// Scores runs of benchmarks, and writes a report of them and of what was scored before.
struct BenchmarkScorer {
  /// The folders of the runs.
  let folders: [String]
  /// The folder of the report, of all runs in it.
  let reportIn: String
  /// What was found, for a single run; nil for the files of the runs.
  var findings: String?
  /// Whether pictures that are there are scored where others are missing.
  var isPartial = false
  /// The network that judges the pictures of a run, nil for none.
  var judge: ((BenchmarkScoring) throws -> BenchmarkJudge?)?
  /// Measures features, nil for none.
  var measure: ((BenchmarkScoring) throws -> [BenchmarkScores.Figure])?

  /// Scores, prints a table, and writes the report.
  ///
  /// - Parameter requiresScores: whether it is a failure that a run has not been judged.
  /// - Throws: `ExitCode` where a run could not be scored, after its reason was printed; the errors of
  ///   writing.
  func run(requiresScores: Bool) throws {
    var hasFailed = false
    for folder in folders {
      do {
        try score(folder)
      } catch {
        // What is wrong with one run does not keep the others from being scored.
        var isExpected = false
        if case BenchmarkError.notJudged = error { isExpected = !requiresScores }
        hasFailed = hasFailed || !isExpected
        FileHandle.standardError.write("\(error)\n")
      }
    }
    try report()
    if hasFailed { throw ExitCode.failure }
  }

  private func score(_ folder: String) throws {
    let run = try BenchmarkRun(in: folder)
    let scoring = try BenchmarkScoring(run, in: folder, isPartial: isPartial)
    let judge = try judge?(scoring)
    let bar = judge.map { _ in ProgressBar("\(run.title), judged", of: scoring.files.count) }
    var scores = try scoring.scores(findings: findings, judge: judge) { bar?.show($0) }
    bar?.finish()
    if let measure { scores.further += try measure(scoring) }
    if let findings,
      URL(fileURLWithPath: findings).path != URL(fileURLWithPath: scoring.findingsPath).path
    {
      try StagedFile.write(MappedFile.data(findings), to: scoring.findingsPath, as: .text)
    }
    try JSONFile.write(scores, to: "\(folder)/\(BenchmarkScores.file)")
  }

  /// Writes the report of all runs that have scores; nothing where none has.
  private func report() throws {
    let all = try BenchmarkRun.folders(in: reportIn).compactMap { folder in
      try scores(folder).map { (folder: folder, scores: $0) }
    }
    guard !all.isEmpty else { return }
    let report = BenchmarkReport(all.map(\.scores))
    print(report.table)
    print("\n" + report.notes.joined(separator: "\n"))
    let path = "\(reportIn)/\(BenchmarkReport.file)"
    try report.write(to: path)
    let folders = Dictionary(all.map { ($0.scores.run, $0.folder) }) { $1 }
    let page = BenchmarkPage(report, folders: folders)
    let place = "\(reportIn)/report.html"
    try StagedFile.write(Data(page.html.utf8), to: place, as: .html)
    print("The report is \(path), with pictures in \(place)")
  }

  private func scores(_ folder: String) throws -> BenchmarkScores? {
    let path = "\(folder)/\(BenchmarkScores.file)"
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let content = try MappedFile.data(path)
    guard let scores = try? JSONDecoder().decode(BenchmarkScores.self, from: content) else {
      FileHandle.standardError.write(
        "\(path) is not a file of scores of this version, and is left out: score the run again.\n")
      return nil
    }
    return scores
  }
}
