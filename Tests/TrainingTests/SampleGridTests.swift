import Files
import Foundation
import Pictures
import Pipelines
import TestSupport
import Testing
import Weights

@testable import Training

@Suite struct SampleGridTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func recipe(_ name: String, _ settings: String...) throws -> TrainingRecipe {
    try tinyRecipe(
      "\(folder.path)/\(name)",
      ["sample_every=2", "sample_count=1", "sample_steps=[1, 2]", "sample_base_steps=3"]
        + settings)
  }

  private func run(
    _ recipe: TrainingRecipe, _ start: Trainer.Start = .fresh, until step: Int? = nil
  ) throws {
    let trainer = try Trainer(recipe, on: SharedEngine.get(), start: start) {
      Issue.record("\($0)")
    }
    try trainer.run(stopping: { step.map { trainer.step >= $0 } ?? false })
  }

  private func bytes(_ path: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path))
  }

  @Test func gridsDoNotChangeTheRun() throws {
    let (plain, drawn) = (try recipe("plain", "sample_every=0"), try recipe("drawn"))
    try run(plain)
    try run(drawn)
    let files = try [plain, drawn].map { try SafeTensors(path: $0.result) }
    for name in files[0].types.names {
      #expect(Array(files[0].bytes(name)!) == Array(files[1].bytes(name)!), "\(name)")
    }
    #expect(SampleFolder(of: plain.output).steps.isEmpty)
    #expect(SampleFolder(of: drawn.output).steps == [2, 4])
  }

  @Test func aResumedRunDrawsTheSameGrids() throws {
    try run(recipe("base", "ema_decay=0"))
    let start = "start=\(folder.path)/base/weights.safetensors"
    let (whole, halves) = (try recipe("whole", start), try recipe("halves", start))
    try run(whole)
    try run(halves, until: 2)
    try run(halves, .resumed)
    for step in [2, 4] {
      let paths = [whole, halves].map { SampleFolder(of: $0.output).path(step) }
      #expect(try bytes(paths[0]) == bytes(paths[1]), "step \(step)")
    }
    #expect(
      try bytes(SampleFolder(of: whole.output).path(2))
        != bytes(SampleFolder(of: whole.output).path(4)))
    // With the base model a grid has a column more.
    let widths = try [whole.output, "\(folder.path)/base"].map {
      try Picture.read(SampleFolder(of: $0).path(4)).picture.width
    }
    #expect(widths[0] > widths[1])
  }

  @Test func theBaseIsWhatItsWeightsGenerate() throws {
    let engine = try SharedEngine.get()
    try run(recipe("base", "ema_decay=0", "objective={preset: flow-matching}", "guidance=0.5"))
    let path = "\(folder.path)/base/weights.safetensors"
    let next = try recipe("next", "start=\(path)")
    try run(next)
    let found = try Picture.read(SampleFolder(of: next.output).base).picture
    let generator = try Generator(ModelFile(path, on: engine), batch: 10, on: engine)
    let made = try generator(
      (0..<10).map { .classNumber($0) }, .euler(3), guidance: 0.5, seed: 0)
    let expected = try Picture(
      width: 28, height: 280, channels: 1, numbers: made.array(of: Float.self))
    #expect(found == expected)
  }

  @Test func aNewRunDeletesTheGridsOfTheOldOne() throws {
    try run(recipe("run"))
    try run(recipe("run", "steps=3"), .replacing)
    #expect(SampleFolder(of: "\(folder.path)/run").steps == [2, 3])
  }

  @Test func classesAreNamed() throws {
    let source = try GridSource(
      recipe("run", "sample_prompts=[Bag, '3']"), on: SharedEngine.get())
    #expect(source.rows == ["Bag", "Dress"])
    #expect(source.trained.map(\.name) == ["1 step", "2 steps"])
    #expect(throws: PipelineError.self) {
      _ = try GridSource(recipe("run", "sample_prompts=[Boat]"), on: SharedEngine.get())
    }
  }

  @Test(
    arguments: [
      (["model={kind: classifier, size: 28}", "objective={kind: classification}"], "sample_every"),
      (["evaluate_every=2", "data={kind: noise, size: 28, channels: 1}"], "evaluate_every"),
      (["sample_steps=[]"], "sample_steps"),
    ] as [([String], String)])
  func whatCannotBeDrawnIsAnError(settings: [String], key: String) throws {
    #expect {
      try tinyRecipe(folder.path, ["sample_every=2", "condition_dropout=0"] + settings)
    } throws: {
      "\($0)".contains(key)
    }
  }
}
