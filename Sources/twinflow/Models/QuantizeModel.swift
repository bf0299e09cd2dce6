import ArgumentParser
import Foundation
import Layers
import Pipelines
import Weights

/// `twinflow models quantize`
struct QuantizeModel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize",
    abstract: "Writes a diffusers folder with the matrices of linear maps in 8 or 4 bits.",
    discussion: """
      The matrices of the transformer and of text encoders become integers with scales, x.weight with \
      x.weight_scale beside it: int8 has a scale for each row, int4 one for each 32 columns, 4.5 bits a \
      weight. All other weights stay as they are stored, and all other files are copied. Where the columns \
      of a matrix are no multiple of 32, it is written as int8. The folder is complete or not there.

      EXAMPLE
        twinflow models quantize Qwen-Image --to int4 Qwen-Image-int4
      """)

  /// The forms that can be written.
  enum Form: String, ExpressibleByArgument, CaseIterable {
    case int8, int4

    var quantization: Quantization { self == .int8 ? .int8 : .int4 }
  }

  @Argument(help: "A diffusers folder, or the folder of one network.", transform: pathOption)
  var folder: String

  @Argument(help: "The folder to write; it must not be there.", transform: pathOption)
  var output: String

  @Option(help: "How matrices are stored: int8 or int4.")
  var to: Form

  func run() throws {
    let folder = try QuantizedFolder(folder)
    for (name, reason) in folder.unchanged { print("\(name) stays as it is: \(reason)") }
    let total = folder.networks.reduce(0) { $0 + $1.matrices.count }
    var done = 0
    let results = try folder.write(to: output, as: to.quantization) { _, _ in
      done += 1
      if done % 100 == 0 { FileHandle.standardError.write("\(done) of \(total) matrices\n") }
    }
    for (network, errors) in results { print(Self.text(network, errors)) }
    print("Written to \(output).")
  }

  /// The measured errors of a network's matrices.
  static func text(_ network: String, _ errors: [WeightFiles.MatrixError]) -> String {
    let sorted = errors.sorted { $0.relative > $1.relative }
    guard let worst = sorted.first, let best = sorted.last else { return "\(network): no matrices" }
    let norm = errors.reduce(0) { $0 + $1.squaredNorm }
    let all =
      norm > 0 ? (errors.reduce(0) { $0 + $1.squaredError } / norm).squareRoot() : 0
    let percent = { (share: Double) in String(format: "%.2f %%", 100 * share) }
    var text =
      (network.isEmpty ? "" : "\(network): ")
      + "\(errors.count) matrices, error \(percent(all)) of the norm in all, "
      + "\(percent(sorted[sorted.count / 2].relative)) in the median, least \(percent(best.relative)); "
      + "largest "
      + sorted.prefix(3).map { "\(percent($0.relative)) in \($0.name)" }
      .joined(separator: ", ")
    let rows = errors.filter { $0.quantization != worst.quantization }.count
    let kinds = Dictionary(grouping: errors, by: \.quantization).mapValues(\.count)
    if rows > 0 {
      text +=
        "; "
        + kinds.sorted { $0.key.rawValue < $1.key.rawValue }.map {
          "\($0.value) as \($0.key.rawValue)"
        }
        .joined(separator: ", ")
    }
    return text
  }
}
