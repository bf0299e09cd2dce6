import Foundation
import Testing

/// `twinflow train --dry-run`.
@Suite struct DryRunTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func printsThePlanAndWritesNothing() throws {
    let output = folder.path + "/run"
    let result = try Command.run(
      "train", "Recipes/z-image/twinflow-lora.yaml", "--dry-run", "--set", "output=\(output)",
      "--set", "start=\(folder.path)/none", "--set", "data.folder=\(folder.path)/none",
      // A small network of the kind, so that it is compiled soon.
      "--set", "model={kind: z_image, n_layers: 1, n_refiner_layers: 1}", "--set", "mesh.fsdp=2",
      "--set", "gradient_accumulation_steps=1", "--set", "batch=8")
    #expect(result.status == 0, "\(result.errors)")
    for line in [
      "network      z_image, ", "mesh         fsdp 2", "TFLOP", "It fits:",
      "A step was not timed", "is not known",
    ] {
      #expect(result.output.contains(line), "\(line)")
    }
    #expect(!FileManager.default.fileExists(atPath: output))
  }

  @Test func aStepIsTimedWhereItFits() throws {
    let output = folder.path + "/run"
    let result = try Command.run(
      "train", "Recipes/points.yaml", "--dry-run", "--set", "output=\(output)")
    #expect(result.status == 0, "\(result.errors)")
    let found = result.output.firstMatch(
      of: /A step takes ([0-9.e-]+) s on this machine, by a trial of ([0-9]+): 4000 steps take/)
    let trial = try #require(found)
    #expect(Double(trial.1)! > 0 && Int(trial.2)! > 0)
    #expect(!FileManager.default.fileExists(atPath: output))
  }

  @Test func saysWhatToChangeWhereItDoesNotFit() throws {
    let result = try Command.run(
      "train", "Recipes/fashion-mnist-base.yaml", "--dry-run", "--device-memory", "10MB",
      "--set", "model.depth=1")
    #expect(result.status == 1)
    #expect(result.output.contains("network      dit, "))
    #expect(result.errors.contains("a device has 10.00 MB"))
    #expect(result.errors.contains("Set model.execution to recomputed"))
  }
}
