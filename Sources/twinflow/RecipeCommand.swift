import ArgumentParser
import Comparison
import Flow
import Foundation
import Pipelines
import Recipe
import Training

extension Preset: ExpressibleByArgument {}

/// `twinflow recipe`
struct RecipeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recipe", abstract: "Shows recipes of known methods, and what their keys mean.",
    subcommands: [Show.self, Reference.self, Import.self])

  /// `twinflow recipe show`
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints a whole recipe with a comment on every field.",
      discussion: """
        The text is a recipe as it stands: on Fashion-MNIST, from the base model that comes with the \
        project where the method needs one.

        EXAMPLES
          twinflow recipe show twinflow
          twinflow recipe show rcgm > rcgm.yaml && twinflow train rcgm.yaml
        """)

    @Argument(help: "The method.")
    var preset: Preset

    func run() throws {
      print(try RecipeWriter.text(preset.recipe(), heading: preset.summary), terminator: "")
    }
  }
}

extension RecipeCommand {
  /// `twinflow recipe reference`
  struct Reference: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints every key of recipes: its values, its default and what it means.",
      discussion: "The text is Markdown: docs/recipe-keys.md of the sources.")

    func run() {
      let training = RecipeReference.text(of: TrainingRecipe.self, title: "Training")
      let comparison = RecipeReference.text(of: ComparisonRecipe.self, title: "Comparisons")
      print(
        """
        # Keys of recipes

        This page is what `twinflow recipe reference` prints; [recipes.md](recipes.md) says how recipes
        are used.

        \(training)
        \(comparison)
        """, terminator: "")
    }
  }
}

extension RecipeCommand {
  /// `twinflow recipe import`
  struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Turns a configuration of the published PyTorch trainer into a recipe.",
      discussion: """
        The recipe is printed. What has no counterpart is named in its comments, and on standard error \
        where the recipe has to be changed before it can be run.

        EXAMPLE
          twinflow recipe import src/configs/qwenimage_task/qwenimage_full.yaml \\
            > qwen-image.yaml
        """)

    @Argument(
      help: "A YAML file with the sections model, data, method, sample and train.",
      completion: .file(extensions: ["yaml", "yml"]), transform: pathOption)
    var file: String

    @Option(
      help: "The number of samples in the data, from which epochs become steps.",
      transform: integer(1...1 << 40))
    var samples: Int?

    func run() throws {
      let recipe = try ImportedRecipe(file, samples: samples)
      print(recipe.text, terminator: "")
      do {
        try recipe.check()
      } catch {
        FileHandle.standardError.write("Before this recipe can be run: \(error)\n")
      }
    }
  }
}

extension Preset {
  /// The method in a line.
  fileprivate var summary: String {
    switch self {
    case .flowMatching: "Flow matching: a multi-step model from scratch."
    case .rcgm: "RCGM: any-step generation without a twin trajectory."
    case .twinFlow: "TwinFlow: one-step generation by self-adversarial flows."
    case .twinFlowLoRA1: "TwinFlow with LoRA and one time, order 1."
    case .twinFlowLoRA2: "TwinFlow with LoRA and one time, order 2."
    case .twinFlowDataFree: "TwinFlow without data: the network learns from its own samples."
    case .twinFlowDistilled:
      "TwinFlow distilled: the network follows the flow of the one that it starts from."
    case .tutorial: "TwinFlow for small networks, from scratch."
    case .meanFlow: "Mean flows: the mean velocity between two times, by its exact derivative."
    case .improvedMeanFlow:
      "Improved mean flows: the derivative follows the network's own velocity."
    case .soFlow: "Solution flows: mean flows without a derivative."
    case .sCM: "Consistency training in continuous time, by the exact derivative (sCM)."
    case .sCD: "Consistency distillation in continuous time, by the exact derivative (sCM)."
    case .ucgm: "Consistency training in continuous time, by a difference (UCGM)."
    case .progressive: "Progressive distillation: 50 steps to 25, the first of its runs."
    case .dmd: "Distribution matching with three networks (DMD2 without its adversarial term)."
    case .dmd2: "Distribution matching with three networks and a critic (DMD2)."
    case .twinDMD:
      "Distribution matching by one network with a head for the generator and one for the fakes (Twin-DMD)."
    case .sanaSprint:
      "Consistency distillation with a critic on the teacher's features (SANA-Sprint)."
    case .vsd: "Variational score distillation with three networks."
    case .apex:
      "TwinFlow whose fake branch has a shifted condition in place of negative times (APEX)."
    case .sid: "Score identity distillation with three networks (SiD)."
    }
  }
}
