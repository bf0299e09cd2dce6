import Evaluation
import Files
import Foundation
import Pipelines
import Runtime

/// Makes the pictures of a benchmark, and scores those that were judged: `twinflow evaluate --benchmark`.
struct EvaluateBenchmark {
  let benchmark: Benchmark
  let model: EvaluatedModel
  let steps: [Int]
  let options: PromptEvaluationOptions
  let name: String
  let out: String
  /// The network that judges the pictures of a run, nil for none.
  let judge: (BenchmarkScoring) throws -> BenchmarkJudge?

  func run() throws {
    let set = try BenchmarkOptions.prompts(benchmark, options.prompts)
    let pipeline = try model.pipeline()
    let count = options.samplesPerPrompt ?? benchmark.picturesPerPrompt
    var folders: [String] = []
    for steps in steps {
      var request = model.request(steps: steps, size: options.size)
      (request.prompt, request.seed) = (set.items[0].prompt, model.sampler.seed)
      let resolved = try pipeline.resolve(request)
      request.size = resolved.size
      let (run, folder) = try prepared(set, request, resolved, pipeline, count)
      folders.append(folder)
      let lock = try FolderLock(folder)
      try make(run, folder, set, request, resolved, pipeline)
      withExtendedLifetime(lock) {}
    }
    log("The pictures are in \(folders.joined(separator: " and ")).")
    // The model and the judge are not on the devices together.
    pipeline.release()
    try BenchmarkScorer(folders: folders, reportIn: out, judge: judge).run(requiresScores: false)
  }

  private func log(_ text: String) { FileHandle.standardError.write(text + "\n") }

  /// The record of a run, which is written with its prompts.
  private func prepared(
    _ set: BenchmarkSet, _ request: ImageRequest, _ resolved: ResolvedRequest,
    _ pipeline: ImagePipeline, _ count: Int
  ) throws -> (run: BenchmarkRun, folder: String) {
    let steps = request.steps!
    let folder = "\(out)/\(set.folderName)/\(name)-\(steps)-step\(steps == 1 ? "" : "s")"
    var run = try BenchmarkRun(set, name: name, in: folder, picturesPerPrompt: count)
    (run.model, run.hashes) = (model.path, try pipeline.hashes())
    (run.steps, run.guidance, run.seed) = (steps, resolved.guidance ?? 0, request.seed)
    run.size = [resolved.size.width, resolved.size.height]
    try run.write(to: folder)
    return (run, folder)
  }

  private func make(
    _ run: BenchmarkRun, _ folder: String, _ set: BenchmarkSet, _ request: ImageRequest,
    _ resolved: ResolvedRequest, _ pipeline: ImagePipeline
  ) throws {
    let layout = BenchmarkLayout(set, count: run.picturesPerPrompt, model: run.name)
    let generation = BenchmarkGeneration(
      layout, in: run.pictures(in: folder), like: request,
      record: try pipeline.record(of: resolved, requested: request, model: model.path))
    let checks = ProgressBar("\(run.title), files checked", of: layout.files.count)
    let pending = try generation.pending { checks.show($0) }
    checks.finish()
    try generation.writeCompanions()
    let count = BenchmarkGeneration.count(pending)
    log(
      "\(benchmark.title), \(run.title): \(set.items.count) prompts, \(count) of "
        + "\(BenchmarkGeneration.count(layout.files)) pictures are to be made.")
    let removed = try generation.forget(pending, in: folder)
    if removed > 0 {
      log("What was found in \(removed) pictures that are made again is removed.")
    }
    guard !pending.isEmpty else { return }
    let encoded = try EncodedPrompts(
      generation.prompts(pending), like: request, by: pipeline, log: log)
    let bar = ProgressBar(run.title, of: count)
    let made = try generation.make(
      pending, by: PromptGeneration(pipeline, encoded), batch: options.batch
    ) { bar.show($0) }
    bar.finish()
    log(
      String(
        format: "%.1f ms a picture, in batches of %d.", made.secondsPerPicture * 1000, made.batch))
  }
}
