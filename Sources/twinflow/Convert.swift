import ArgumentParser
import Files
import Tensors
import Pipelines
import Runtime
import Training

extension DType: ExpressibleByArgument {
  /// Reads a name such as `bf16`.
  public init?(argument: String) { self.init(rawValue: argument == "int8" ? "i8" : argument) }

  /// None in help: each option takes a few of the types, and names them.
  public static var allValueStrings: [String] { [] }
}

/// `twinflow convert`
struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes trained weights with smaller or wider numbers.",
    discussion: """
      LoRA are added to the weights that they belong to, and the whole network is written. Files of \
      earlier versions are written under the names that are used now.

      EXAMPLES
        twinflow convert out/base/weights.safetensors base.safetensors --dtype bf16
        twinflow convert out/emoji/transformer emoji.safetensors --dtype bf16 \\
          --largest 9MB
      """)

  @Argument(
    help: "The weights, a safetensors file or folder that this program has written.",
    transform: pathOption)
  var input: String

  @Argument(help: "The output file.", transform: pathOption)
  var output: String

  @Option(
    help: """
      How numbers are stored: bf16, f16 or f32, or int8 for the matrices of linear maps with a scale \
      for each row and the rest as it is.
      """)
  var dtype: DType

  @Option(
    help: ArgumentHelp(
      "The data of a file, beyond which there are several with an index; by default 5 GiB.",
      valueName: "bytes"),
    transform: Bytes.option)
  var largest = Bytes(5 << 30)

  @Flag(help: "Let numbers beyond the type's range become infinite, instead of refusing them.")
  var allowOverflow = false

  @OptionGroup var engine: EngineOptions

  func validate() throws {
    guard [.bfloat16, .float16, .float32, .int8].contains(dtype) else {
      throw ValidationError("--dtype is \(dtype.rawValue); it must be bf16, f16, f32 or int8.")
    }
  }

  func run() throws {
    let engine = try engine.open()
    let file = try ModelFile(
      weightsPath(input), on: engine, allowsOverflow: allowOverflow)
    try ModelFile.write(
      file.weights, card: file.card, to: output, as: dtype, largest: largest.count,
      protecting: file.paths, allowsOverflow: allowOverflow, on: engine)
  }
}
