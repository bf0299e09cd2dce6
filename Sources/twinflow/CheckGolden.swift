import ArgumentParser
import Foundation
import Golden
import Pipelines
import Runtime
import Training

/// `twinflow check-golden`
struct CheckGolden: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Compares the method, networks, tokenizers and scores with cases computed by published code.",
    discussion: """
      A case is a folder with config.json, inputs.safetensors (with every random draw) and \
      expected.safetensors. For each case the table shows the number of compared outputs, and the \
      one closest to its tolerance: ten times the case's f32 noise, or 1e-5 of the norm, 2e-4 for \
      targets and gradients, which amplify differences, 1e-4 for networks, 1e-3 for targets and \
      gradients in their training. A case of a network has its config and weights in a folder \
      "model". The ids of a tokenizer's texts must all be equal; those of a real vocabulary are \
      compared if TWINFLOW_VOCABULARIES names the folder of its file. Cases of the scores of pictures \
      have files of their own; decisions, texts and counts must be equal. A case that cannot be \
      compared counts as failed, and the others are still checked.

      EXAMPLE
        twinflow check-golden Tests/Fixtures/golden
      """)

  @Argument(help: "The folder of a case, or a folder of cases.", transform: pathOption)
  var folder: String

  @OptionGroup var engine: EngineOptions

  func run() throws {
    let manager = FileManager.default
    var paths = [folder]
    if !manager.fileExists(atPath: folder + "/config.json") {
      let names = try? manager.contentsOfDirectory(atPath: folder)
      paths = (names ?? []).sorted().map { "\(folder)/\($0)" }
        .filter { manager.fileExists(atPath: $0 + "/config.json") }
      guard !paths.isEmpty else { throw GoldenError.noCase(path: folder) }
    }
    let client = try engine.open().client
    let width = paths.map { URL(fileURLWithPath: $0).lastPathComponent.count }.max() ?? 0
    var wrong: [String] = []
    var failed: [String] = []
    var skipped: [String] = []
    for path in paths {
      let name = URL(fileURLWithPath: path).lastPathComponent
      let title = name + String(repeating: " ", count: width - name.count)
      do {
        guard let golden = try GoldenCase(folder: path) else {
          skipped.append(name)
          continue
        }
        let comparisons = try golden.check(on: client)
        guard let worst = comparisons.max(by: { $0.share < $1.share }) else {
          failed.append(name)
          print("\(title)  FAILED  nothing to compare")
          continue
        }
        if worst.share > 1 { wrong.append(name) }
        let numbers = String(
          format: "%5d outputs  %.1e relative, %.2f of the tolerance, in %@", comparisons.count,
          worst.relative, worst.share, worst.name)
        print("\(title)  \(worst.share > 1 ? "WRONG" : "equal")  \(numbers)")
        for wrong in comparisons where wrong.share > 1 {
          let difference = String(format: "%.1e relative", wrong.relative)
          print("  \(wrong.name): \(wrong.note ?? difference)")
        }
        for left in golden.notCompared { print("  \(left.name) is not compared: \(left.reason)") }
      } catch {
        // One line per case, also for errors of several lines.
        failed.append(name)
        let lines = "\(error)".split(whereSeparator: \.isNewline)
        print("\(title)  FAILED  \(lines.joined(separator: " "))")
      }
    }
    if !skipped.isEmpty { print("Not checked, of other kinds: \(skipped.joined(separator: ", "))") }
    guard wrong.isEmpty, failed.isEmpty else {
      let count = paths.count - skipped.count
      FileHandle.standardError.write(
        "Of \(count) cases \(wrong.count) differ from the published code, and \(failed.count) could "
          + "not be compared.\n")
      throw ExitCode(1)
    }
  }
}
