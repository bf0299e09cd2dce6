import ArgumentParser
import Files
import Foundation
import Processes
import Recipe
import Tensors
import Pipelines
import Runtime
import Training

extension DeviceKind: ExpressibleByArgument {}

/// The command line.
@main
struct TwinFlow: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "twinflow",
    abstract: "Trains flow models that generate in one step, and generates with them.",
    discussion: """
      EXAMPLES
        twinflow demo
        twinflow train Recipes/fashion-mnist-twinflow.yaml
        twinflow sample out/twinflow/weights.safetensors --steps 1
        twinflow evaluate out/twinflow/weights.safetensors --steps 1 2
      """,
    version: programVersion,
    subcommands: [
      Train.self, RunsCommand.self, Generate.self, Serve.self, Sample.self, Evaluate.self,
      Score.self, ReadCommand.self, Compare.self, Demo.self, Convert.self, Export.self,
      RecipeCommand.self,
      PlanCommand.self,
      Launch.self, CheckProcesses.self, CheckGolden.self, DataCommand.self, Devices.self,
      ModelsCommand.self,
    ])
}

/// The options of every command that computes.
struct EngineOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The PJRT plugin to compute with.",
      discussion: "By default TWINFLOW_PLUGIN, otherwise the one installed by scripts/setup.",
      valueName: "library"),
    transform: pathOption)
  var plugin: String?

  @Option(help: "The kind of device: cpu, or cuda for NVIDIA GPUs.")
  var device = DeviceKind.cpu

  @Flag(
    inversion: .prefixedNo,
    help: "Whether matrix multiplications, attention and convolutions on a CPU use our kernels.")
  var kernels = true

  @Option(
    help: "The number of virtual devices of a CPU, to try meshes.", transform: integer(1...1024))
  var devices = 1

  func open(_ group: ProcessGroup? = nil) throws -> Engine {
    let engine = try Engine(
      plugin: plugin, device: device, kernels: kernels, devices: devices, group: group)
    if engine.client.lacksOneDNN, (group?.rank ?? 0) == 0 {
      FileHandle.standardError.write(
        "Warning: oneDNN was not found, so matrix multiplications and convolutions run as XLA compiles "
          + "them, which is slower. Install it and build again (Debian: libdnnl-dev), or give "
          + "--no-kernels.\n")
    }
    return engine
  }
}

/// The training recipe that a command takes.
struct RecipeOptions: ParsableArguments {
  @Argument(
    help: "The recipe: a YAML file, or the name of an installed one.",
    completion: .file(extensions: ["yaml", "yml"]),
    transform: pathOption)
  var recipe: String

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Replaces a value of the recipe.", valueName: "key=value"))
  var settings: [String] = []

  func decoded() throws -> TrainingRecipe {
    try RecipeDecoder.decode(
      TrainingRecipe.self, contentsOf: SharedFiles.standard.recipe(recipe),
      settings: settings.map { try RecipeSetting($0) })
  }
}

/// The weights of the included classifier.
let shippedClassifier = "Assets/fashion-mnist-classifier.safetensors"
