import ArgumentParser
import Foundation
import Recipe
import Training

/// `twinflow train`
struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a network by a recipe.",
    discussion: """
      The run's folder, "output" in the recipe, gets checkpoint.safetensors (the whole state),
      weights.safetensors (what generation takes) and log.jsonl (metrics). Ctrl-C saves and stops;
      --resume goes on.

      EXAMPLES
        twinflow train Recipes/fashion-mnist-twinflow.yaml
        twinflow train Recipes/fashion-mnist-base.yaml --set steps=200 --set output=out/short
        twinflow train Recipes/fashion-mnist-base.yaml --resume
      """)

  @Argument(help: "The recipe, a YAML file.", completion: .file(extensions: ["yaml", "yml"]))
  var recipe: String

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Replaces a value of the recipe.", valueName: "key=value"))
  var settings: [String] = []

  @Flag(help: "Go on from the run's checkpoint.")
  var resume = false

  @OptionGroup var engine: EngineOptions

  func run() throws {
    let recipe = try RecipeDecoder.decode(
      TrainingRecipe.self, contentsOf: recipe, settings: settings.map { try RecipeSetting($0) })
    let trainer = try Trainer(recipe, on: engine.open(), start: resume ? .resumed : .fresh)
    let compilation = trainer.function.compilation
    FileHandle.standardError.write(
      compilation.cached
        ? "The step was compiled before.\n"
        : "Compiled the step in \(compilation.compiling.secondsText).\n")
    let interrupt = Interrupt()
    let bar = ProgressBar("step", of: recipe.steps)
    let finished = try trainer.run(progress: bar.show, stopping: { interrupt.isNoted })
    bar.finish()
    if !finished {
      print("Stopped after step \(trainer.step) of \(recipe.steps); --resume goes on.")
    }
    print("The weights are in \(recipe.output)/weights.safetensors")
  }
}
