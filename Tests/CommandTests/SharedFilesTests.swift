import Foundation
import Testing

/// The program finds its recipes and weights in any working directory.
@Suite struct SharedFilesTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test(arguments: [
    ["train", "points", "--set", "steps=2", "--set", "batch=16", "--set", "output=run"],
    [
      "train", "Recipes/fashion-mnist-demo.yaml", "--set", "steps=1", "--set", "batch=16",
      "--set", "output=run",
    ],
    ["plan", "points", "--devices", "1"],
    ["sample", "Assets/fashion-mnist-base.safetensors", "--columns", "1"],
    ["convert", "Assets/fashion-mnist-classifier.safetensors", "half.safetensors", "--dtype=bf16"],
    ["evaluate", "Assets/fashion-mnist-base.safetensors", "--samples", "100"],
  ])
  func commandsRunInAnEmptyFolder(arguments: [String]) throws {
    let result = try Command.start(arguments, in: folder.path).finish()
    #expect(result.status == 0, "\(result.errors)")
  }

  @Test func comparisonsOfSharedRecipesRunInAnEmptyFolder() throws {
    let result = try Command.run(
      "compare", "compare/points", "--set", "evaluations=2000", "--set", "samples=100",
      "--set", "sets=[moons]", "--set", "base=[steps=1, batch=16]", "--set", "steps=[1]",
      "--set",
      "methods=[{name: One, set: [batch=16, \"objective={preset: rcgm, enhanced_ratio: 0}\"]}]",
      "--set", "output=out", in: folder.path)
    #expect(result.status == 0, "\(result.errors)")
    #expect(folder.contents == ["out"])
  }

  /// A recipe that was printed for the user starts from the shared weights as well.
  @Test func printedRecipesRunInAnEmptyFolder() throws {
    let shown = try Command.run("recipe", "show", "rcgm", in: folder.path)
    _ = try folder.file("rcgm.yaml", shown.output)
    let result = try Command.run(
      "train", "rcgm.yaml", "--set", "steps=1", "--set", "batch=16", "--set", "output=run",
      in: folder.path)
    #expect(result.status == 0, "\(result.errors)")
  }

  @Test func ownFilesComeFirst() throws {
    _ = try folder.file("points", "a: 1")
    let result = try Command.run("train", "points", in: folder.path)
    #expect(result.status != 0 && result.errors.contains("points:1:1: the key `model` is missing"))
  }

  @Test func errorsNameEveryPlace() throws {
    let share = folder.path + "/share"
    let environment = ["TWINFLOW_SHARE": share]
    for (arguments, name) in [
      (["train", "pints"], "Recipes/pints.yaml"),
      (["compare", "compare/pints"], "Recipes/compare/pints.yaml"),
      (["sample", "Assets/none.safetensors"], "Assets/none.safetensors"),
      (
        ["evaluate", "Assets/fashion-mnist-base.safetensors", "--classifier", "Assets/none"],
        "Assets/none"
      ),
      (["train", "points", "--set", "start=Assets/none"], "Assets/none"),
    ] {
      let result = try Command.start(
        arguments, environment: environment, in: folder.path
      ).finish()
      #expect(result.status != 0 && result.output.isEmpty)
      for place in ["\(folder.path)/", "\(share)/\(name)", "\(Command.root)/\(name)"] {
        #expect(result.errors.contains(place), "\(result.errors)")
      }
    }
    #expect(!folder.contents.contains("samples.png"))
  }
}
