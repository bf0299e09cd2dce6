import ArgumentParser
import Files
import Foundation
import Training

/// `twinflow runs`
struct RunsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runs", abstract: "Lists training runs, and shows how one went.",
    subcommands: [List.self, Show.self], defaultSubcommand: List.self)

  /// `twinflow runs list`
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists the runs in a folder with their state.",
      discussion: """
        A run is running while a process has locked its folder. One whose process ended without saving was \
        killed; it and a stopped one continue with twinflow train RECIPE --resume.

        EXAMPLES
          twinflow runs
          twinflow runs out/compare
        """)

    @Argument(help: "The folder.", transform: pathOption)
    var folder = "out"

    func run() throws {
      guard FileManager.default.fileExists(atPath: folder) else {
        throw RunsError.missing(path: folder)
      }
      let runs = try RunSummary.folders(in: folder).map { try RunSummary(of: $0) }
      guard !runs.isEmpty else { throw RunsError.noRuns(path: folder) }
      print(RunTable(runs).text)
    }
  }

  /// `twinflow runs show`
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Draws a run's losses, and writes a page about it.",
      discussion: """
        The page, run.html in the run's folder, is one file without any links: losses, speed, samples over \
        time, evaluations, recipe and plan.

        EXAMPLES
          twinflow runs show out/twinflow
          twinflow runs show out/twinflow --output twinflow.html
        """)

    @Argument(
      help: ArgumentHelp("The folder of the run.", valueName: "run"), transform: pathOption)
    var path: String

    @Option(
      name: .shortAndLong, help: "The page to write; run.html in the run's folder by default.",
      transform: pathOption)
    var output: String?

    func run() throws {
      guard FileManager.default.fileExists(atPath: path) else {
        throw RunsError.missing(path: path)
      }
      guard RunSummary.isRun(path) else { throw RunsError.notARun(path: path) }
      let summary = try RunSummary(of: path)
      print(RunTable([summary]).text)
      if let text = TerminalChart.losses(of: summary.log) { print("\n" + text) }
      let page = try RunPage(summary)
      let file = output ?? "\(path)/run.html"
      try StagedFile.write(Data(page.html.utf8), to: file, as: .html)
      print("\nThe page is \(file)")
    }
  }
}

/// What can be wrong with a folder of runs.
enum RunsError: Error, Equatable, CustomStringConvertible {
  /// There is no such folder.
  case missing(path: String)
  /// No run is in the folder.
  case noRuns(path: String)
  /// The folder is not that of a run.
  case notARun(path: String)

  /// What was found and what to do.
  var description: String {
    switch self {
    case .missing(let path):
      "There is no folder \(path): name the folder in which your recipes have their output."
    case .noRuns(let path):
      "No run is in \(path) or within its folders: name the folder in which your recipes have their "
        + "output."
    case .notARun(let path):
      "\(path) is not the folder of a run: it has neither run.json nor log.jsonl nor a checkpoint. "
        + "twinflow runs FOLDER lists those that are."
    }
  }
}
