import ArgumentParser
import Evaluation
import Foundation
import Processes
import Pipelines
import Runtime
import Training

extension TrainingRecipe {
  /// How pictures are made with the weights of a published network, nil for other networks.
  fileprivate var advice: String? {
    guard model.isPublished else { return nil }
    if lora == nil, isModel {
      return "Make pictures with: twinflow generate PROMPT --model \(output)"
    }
    let name = wholeStart ?? encoders ?? start ?? "FOLDER"
    let options =
      lora == nil
      ? "--transformer \(result)"
      : (embedderResult.map { "--transformer \($0) " } ?? "") + "--lora \(result)"
    return "Make pictures with: twinflow generate PROMPT --model \(name) \(options)"
  }
}

/// `twinflow train`
struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a network with a recipe.",
    discussion: """
      The run's folder, "output" in the recipe, gets checkpoints/step-000500 and so on (the training \
      state, and weights), the newest weights.safetensors (the weights for generation; with LoRA \
      adapter.safetensors, which holds LoRA only; for published networks the folder transformer, which \
      twinflow generate and diffusers read) and log.jsonl (metrics). Ctrl-C saves and stops, and so do \
      SIGTERM and SIGHUP, with 128 and the signal's number as the exit code; --resume continues. A mesh \
      in the recipe shards the run over devices: with twinflow launch, srun or torchrun's variables \
      over those of several processes.

      EXAMPLES
        twinflow train Recipes/fashion-mnist-twinflow.yaml
        twinflow train Recipes/fashion-mnist-base.yaml --set steps=200 \\
          --set output=out/short
        twinflow train Recipes/fashion-mnist-base.yaml --resume
        twinflow train Recipes/qwen-image/twinflow-lora.yaml \\
          --set data.folder=pictures
        twinflow train Recipes/qwen-image/twinflow-lora.yaml --dry-run
      """)

  @OptionGroup var recipe: RecipeOptions

  @Flag(help: "Resume from the run's newest checkpoint that is whole.")
  var resume = false

  @Flag(
    help: ArgumentHelp(
      "Prints what the run needs on each device of its mesh, and stops.",
      discussion: """
        The step is compiled, and where this machine can hold it, timed on zeros; weights and data need \
        not be there. Where they are, the pictures and prompts that are to be encoded are counted, and \
        those that are encoded already. On a CPU virtual devices stand for those of the mesh, and \
        activations are those of the CPU's schedule, in f32: a GPU needs about half of them. With \
        --device cuda the figures are the GPU's.
        """))
  var dryRun = false

  @Option(
    name: .customLong("device-memory"),
    help: ArgumentHelp(
      "The memory of a device for --dry-run, as in 80GB; by default that of the GPU with --device "
        + "cuda, otherwise an H200's.", valueName: "bytes"),
    transform: Bytes.option)
  var deviceMemory: Bytes?

  @OptionGroup var patience: PatienceOptions
  @OptionGroup var engine: EngineOptions

  func run() throws {
    let recipe = try recipe.decoded()
    if dryRun {
      try DryRun(recipe, engine, capacity: deviceMemory).show()
      return
    }
    let group = try ProcessPlace().map {
      try Membership.join($0, folder: recipe.output, patience: patience)
    }
    // From here on signals stop the run, also while weights are loaded and programs compiled.
    let interrupt = Interrupt()
    var isFinished = false
    try Membership.reporting(group) {
      do {
        isFinished = try run(recipe, on: engine.open(group), interrupt)
      } catch let error as TrainingError {
        guard case .stopped = error, group == nil else { throw error }
        print(error)
      }
    }
    if !isFinished { throw ExitCode(interrupt.exitCode) }
  }

  /// Makes or resumes a run.
  ///
  /// - Returns: whether its last step was reached.
  private func run(
    _ recipe: TrainingRecipe, on engine: Engine, _ interrupt: Interrupt
  ) throws -> Bool {
    // Read before anything else is done, so that what is wrong with it is said at once.
    let prompts =
      try recipe.evaluateEvery > 0 ? recipe.evaluatePrompts.map { try PromptSet($0) } : nil
    _ = try prompts?.chosen(splits: recipe.evaluateSplits)
    if prompts != nil { _ = try PictureFeaturesSource(nil) }
    let trainer = try Trainer(
      recipe, on: engine, start: resume ? .resumed : .fresh,
      notice: { FileHandle.standardError.write($0 + "\n") }, stopping: { interrupt.isNoted })
    guard (engine.group?.rank ?? 0) == 0 else {
      // Only the first process reports progress.
      return try trainer.run(stopping: { interrupt.isNoted })
    }
    let say = { (text: String) in FileHandle.standardError.write(text + "\n") }
    say(RunPlanText(trainer).text)
    trainer.observers += [
      ProgressBar("step", of: recipe.steps), RunRecorder(notice: say),
      TensorBoardEvents(notice: say),
    ]
    if let prompts, engine.group != nil {
      say("Runs of several processes are not evaluated on \(prompts.path).")
    } else if let prompts {
      trainer.observers.append(
        try RunPromptEvaluation(trainer.recipe, prompts, on: engine, say: say))
    } else if trainer.recipe.evaluateEvery > 0 {
      trainer.observers.append(try FrechetEvaluation(trainer.recipe, on: engine))
    }
    let estimate = TimeEstimate()
    let finished = try trainer.run(
      progress: { progress in estimate.text(progress).map(say) },
      stopping: { interrupt.isNoted })
    if !finished {
      print("Stopped after step \(trainer.step) of \(recipe.steps); --resume continues.")
    }
    print("The weights are in \(recipe.result)")
    if let advice = trainer.recipe.advice { print(advice) }
    return finished
  }
}
