import ArgumentParser
import Processes
import Recipe
import Tensors
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
      Train.self, Sample.self, Evaluate.self, Compare.self, Demo.self, Convert.self,
      RecipeCommand.self, PlanCommand.self, Launch.self, CheckProcesses.self, CheckGolden.self,
      Devices.self,
    ])
}

/// What every command that computes can be told.
struct EngineOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The PJRT plugin to compute with.",
      discussion: "By default TWINFLOW_PLUGIN, else what scripts/setup has installed.",
      valueName: "library"),
    transform: pathOption)
  var plugin: String?

  @Option(help: "What to compute on: cpu, or cuda for NVIDIA's GPUs.")
  var device = DeviceKind.cpu

  @Flag(
    inversion: .prefixedNo,
    help: "Whether products, attention and convolutions on a CPU run in our own kernels.")
  var kernels = true

  @Option(
    help: "How many virtual devices a CPU is taken for, to try meshes.", transform: whole(1...1024))
  var devices = 1

  func open(_ group: ProcessGroup? = nil) throws -> Engine {
    try Engine(plugin: plugin, device: device, kernels: kernels, devices: devices, group: group)
  }
}

/// The training recipe that a command takes.
struct RecipeOptions: ParsableArguments {
  @Argument(
    help: "The recipe, a YAML file.", completion: .file(extensions: ["yaml", "yml"]),
    transform: pathOption)
  var recipe: String

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Replaces a value of the recipe.", valueName: "key=value"))
  var settings: [String] = []

  func decoded() throws -> TrainingRecipe {
    try RecipeDecoder.decode(
      TrainingRecipe.self, contentsOf: recipe, settings: settings.map { try RecipeSetting($0) })
  }
}

/// Where a classifier's weights lie that this project ships.
let shippedClassifier = "Assets/fashion-mnist-classifier.safetensors"
