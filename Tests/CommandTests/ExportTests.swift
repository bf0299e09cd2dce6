import Foundation
import Testing

/// `twinflow export`, and commands that take the folder of a run.
@Suite struct ExportTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func aRunIsExportedSampledAndEnded() throws {
    let run = folder.path + "/run"
    let trained = try Command.run(
      "train", "Recipes/fashion-mnist-base.yaml", "--set", "output=\(run)", "--set", "steps=8",
      "--set", "model={kind: dit, patch: 14, width: 16, depth: 1, heads: 2}", "--set", "batch=8",
      "--set", "checkpoint_every=4", "--set", "optimizer.state=int8")
    #expect(trained.status == 0, "\(trained.errors)")
    // The plan comes before the first step, and the time once some steps were made.
    #expect(trained.errors.contains("parameters, "), "\(trained.errors)")
    #expect(trained.errors.contains("8 steps of 8 samples"))
    #expect(trained.errors.contains("The compiled step needs "))
    #expect(trained.errors.contains("A step takes about "))
    let output = folder.path + "/out.safetensors"
    let exported = try Command.run("export", run, output, "--step", "4", "--dtype", "bf16")
    #expect(exported.status == 0, "\(exported.errors)")
    #expect(exported.output == "Step 4 was written to \(output).\n")
    for weights in [output, run, run + "/checkpoints/step-000008"] {
      let sampled = try Command.run(
        "sample", weights, "--columns", "1", "--output", folder.path + "/sheet.png")
      #expect(sampled.status == 0, "\(sampled.errors)")
    }
    for (arguments, hint) in [
      ([run, folder.path + "/folder"], "ends in .safetensors"),
      ([run, output, "--step", "5"], "it has those of 4, 8"),
      ([folder.path, output], "neither the folder of a run"),
      ([run, output, "--whole"], "all weights of a published network"),
    ] {
      let (_, finish) = try Command.start(["export"] + arguments)
      let result = finish()
      #expect(result.status != 0 && result.errors.contains(hint), "\(result.errors)")
    }
    let generated = try Command.run("generate", "a shoe", "--model", run)
    #expect(generated.status == 1)
    #expect(generated.errors.contains("twinflow sample \(run)"), "\(generated.errors)")
  }
}
