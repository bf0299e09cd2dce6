import ArgumentParser
import Evaluation
import Files
import Foundation

extension Benchmark: ExpressibleByArgument {}

/// The options of `twinflow evaluate` for benchmarks.
struct BenchmarkOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Makes the pictures of a benchmark.",
      discussion: """
        --prompts names its file of prompts; those of geneval, longtext and emoji-compositions come with the program. \
        --samples-per-prompt, --size and --batch are as for other prompts.
        """, valueName: "benchmark"))
  var benchmark: Benchmark?

  @Option(
    help: ArgumentHelp(
      "The folder of a benchmark's pictures and scores, runs/eval by default.", valueName: "folder"),
    completion: .directory, transform: pathOption)
  var out: String?

  @Option(
    help: ArgumentHelp(
      "The model's name in reports and folders; by default the last part of its path.",
      valueName: "name"))
  var name: String?

  func validate() throws {
    if let name { try Self.check(name) }
    guard benchmark == nil else { return }
    if let given = [("out", out), ("name", name)].first(where: { $0.1 != nil }) {
      throw ValidationError("--\(given.0) is for benchmarks: name one with --benchmark.")
    }
  }

  /// Checks that a name can be that of a folder.
  static func check(_ name: String) throws {
    guard !name.isEmpty, !name.hasPrefix("."), !name.contains("/"), !name.utf8.contains(0) else {
      throw ValidationError(
        "--name is that of a folder: it has no / and does not begin with a dot.")
    }
  }

  /// The folder where none is given.
  static let standardOut = "runs/eval"

  /// Reads the prompts of a benchmark: a given file, or those of the program.
  ///
  /// - Throws: `BenchmarkError.noPrompts`, the errors of reading.
  static func prompts(_ benchmark: Benchmark, _ path: String?) throws -> BenchmarkSet {
    guard let path = path ?? benchmark.shipped else {
      throw BenchmarkError.noPrompts(benchmark: benchmark.title, source: benchmark.source)
    }
    return try BenchmarkSet(benchmark, SharedFiles.standard.path(path))
  }
}
