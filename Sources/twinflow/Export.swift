import ArgumentParser
import Files
import Pipelines
import Runtime
import Tensors
import Training

/// `twinflow export`
struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes what a run has trained for other programs.",
    discussion: """
      All weights of a published network are written as a folder that diffusers reads, with --whole together \
      with the other networks of the model; LoRA as a file that diffusers, PEFT and ComfyUI read; other \
      networks as a file of weights of this program. A run of text-dit is written as a model, whose encoders \
      stay where they are.

      EXAMPLES
        twinflow export out/qwen-image-lora fox.safetensors
        twinflow export out/qwen-image-full Qwen-Image-fox --step 2000 --whole \\
          --dtype bf16
        twinflow export out/emoji Assets/emoji --dtype bf16 --largest 9MB
      """)

  @Argument(
    help: "The folder of a run, or of one of its checkpoints.", completion: .directory,
    transform: pathOption)
  var folder: String

  @Argument(
    help: "The folder to write, which must not be there, or the file, NAME.safetensors.",
    transform: pathOption)
  var output: String

  @Option(
    help: "The checkpoint of a step; by default the newest.",
    transform: integer(0...TrainingRecipe.mostSteps))
  var step: Int?

  @Option(help: "How numbers are stored: bf16, f16 or f32; by default as they are.")
  var dtype: DType?

  @Option(
    help: ArgumentHelp(
      "The data of a file of a folder, beyond which there are several with an index; by default "
        + "5 GiB.", valueName: "bytes"),
    transform: Bytes.option)
  var largest: Bytes?

  @Flag(help: "Copy the other networks of the published model as well.")
  var whole = false

  @OptionGroup var engine: EngineOptions

  func validate() throws {
    guard let dtype else { return }
    guard [.bfloat16, .float16, .float32].contains(dtype) else {
      throw ValidationError("--dtype is \(dtype.rawValue); it must be bf16, f16 or f32.")
    }
  }

  func run() throws {
    guard let trained = try TrainedRun(folder, step: step) else { throw NoRun(path: folder) }
    let isFile = output.hasSuffix(".safetensors")
    guard isFile != trained.isTransformer else {
      throw ValidationError(
        trained.isTransformer
          ? "The run has trained all weights of a published network, which are a folder: give the "
            + "output a name without .safetensors."
          : "The run's weights are one file: give the output a name that ends in .safetensors.")
    }
    guard dtype == nil || trained.recipe.lora == nil else {
      throw ValidationError(
        "--dtype is for all weights of a network; LoRA stays as it was trained.")
    }
    guard largest == nil || trained.isTransformer else {
      throw ValidationError("--largest is for runs whose weights are a folder.")
    }
    guard !whole || trained.isTransformer && !trained.recipe.isModel else {
      throw ValidationError("--whole is for runs that train all weights of a published network.")
    }
    let model = whole ? trained.model : nil
    let place = try model.map { try ModelFolder(ModelLibrary().path(of: $0)) }
    let written = try trained.export(
      to: output, as: dtype, largest: largest?.count ?? 5 << 30, in: place, on: engine.open())
    print("Step \(trained.step) was written to \(written.joined(separator: " and ")).")
  }
}

/// A folder that is no run's.
struct NoRun: Error, CustomStringConvertible {
  let path: String

  var description: String {
    "\(path) is neither the folder of a run nor that of a checkpoint. Name the output folder of a "
      + "recipe, or a folder such as out/run/checkpoints/step-000500."
  }
}
