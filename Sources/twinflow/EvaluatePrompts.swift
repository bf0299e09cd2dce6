import Evaluation
import Files
import Flow
import Foundation
import Models
import Pictures
import Pipelines
import Runtime
import Training

/// Measures text-to-image models on prompts: `twinflow evaluate --prompts`.
struct EvaluatePrompts {
  let model: String
  let steps: [Int]
  let options: PromptEvaluationOptions
  let sampler: SamplerOptions
  let output: String?
  let engine: Engine

  private var measured: EvaluatedModel { evaluated(model) }

  private func evaluated(_ path: String) -> EvaluatedModel {
    EvaluatedModel(path: path, sampler: sampler, engine: engine)
  }

  func run() throws {
    let set = try PromptSet(options.prompts!)
    let features = try PictureFeaturesSource(options.features)
    let pipeline = try measured.pipeline()
    let earlier = options.against.flatMap { $0.hasSuffix(".json") ? $0 : nil }
    let base = try earlier == nil ? options.against.map { try evaluated($0).pipeline() } : nil
    let requests = try steps.map {
      try resolved(measured.request(steps: $0, size: options.size), pipeline, set)
    }
    var baseRequest = ImageRequest(prompt: "")
    (baseRequest.steps, baseRequest.guidance) = (options.againstSteps, options.againstGuidance)
    baseRequest.size = requests[0].size
    if let base { baseRequest = try resolved(baseRequest, base, set) }
    try checkOutputs(
      replacingNoneOf: [set.path, features.path] + set.lines.compactMap(\.picture)
        + pipeline.inputFiles
        + (base?.inputFiles ?? []) + [earlier].compactMap { $0 })

    let network = try features.load(on: engine)
    let evaluation = try evaluation(set, network, size: requests[0].size!)
    var (report, sheet) = (PromptReport(evaluation), PromptSheet(evaluation))
    var baseRows = try earlier.map {
      try report.rows(
        ofBaseIn: $0, steps: options.againstSteps, guidance: options.againstGuidance)
    }
    try sheet.addReal()
    let names = names()
    report.rows = try measure(pipeline, names.model, requests, evaluation, &sheet, &report.models)
    if let base {
      baseRows = try measure(base, names.base, [baseRequest], evaluation, &sheet, &report.models)
    }
    if let baseRows { report.compare(with: baseRows) }
    report.rows += try evaluation.referenceRows()
    print(report.table)
    if let comparison = report.comparisonTable { print("\n" + comparison) }
    print("\n" + report.notes.joined(separator: "\n"))
    if let output { try report.write(to: output) }
    if let path = options.sheet {
      let texts = [
        ("Software", "twinflow \(programVersion)"), ("twinflow.model", model),
        ("twinflow.prompts", set.path), ("twinflow.seed", "\(sampler.seed)"),
      ]
      try sheet.write(to: path, texts: texts.map { (key: $0.0, text: $0.1) })
    }
  }

  private func log(_ text: String) { FileHandle.standardError.write(text + "\n") }

  /// The names of the models in the report: the last parts of their paths, where they differ.
  private func names() -> (model: String, base: String) {
    let paths = [model, options.against ?? ""]
    let names = paths.map { evaluated($0).name }
    let differ = names[0] != names[1]
    return (differ ? names[0] : paths[0], differ ? names[1] : paths[1])
  }

  /// A request with the size of its pictures, after a check of what a model would make of it.
  private func resolved(
    _ request: ImageRequest, _ pipeline: ImagePipeline, _ set: PromptSet
  ) throws -> ImageRequest {
    var request = request
    request.prompt = set.lines[0].prompt
    request.size = try pipeline.resolve(request).size
    return request
  }

  private func checkOutputs(replacingNoneOf inputs: [String]) throws {
    if let output {
      try checkOutput(output, replacesNoneOf: inputs)
      try PromptReport.checkReplaceable(output)
    }
    if let sheet = options.sheet {
      try checkOutput(sheet, replacesNoneOf: inputs)
      try FileKind.png.checkReplaceable(sheet)
    }
  }

  private func evaluation(
    _ set: PromptSet, _ network: any PictureFeatures, size: ImageSize
  ) throws -> PromptEvaluation {
    var wanted = PromptEvaluation.Options()
    (wanted.splits, wanted.promptsPerSplit) = (options.splits, options.promptsPerSplit)
    (wanted.samplesPerPrompt, wanted.batch) = (options.samplesPerPrompt ?? 1, options.batch)
    wanted.seed = sampler.seed
    let bar = ProgressBar("Real pictures", of: Set(set.lines.compactMap(\.picture)).count)
    defer { bar.finish() }
    return try PromptEvaluation(
      set, wanted, size: size, by: network, on: engine, cache: FeatureCache()
    ) { bar.show($0) }
  }

  /// The rows of a model, one for each number of steps and split; its pictures are added to the sheet.
  private func measure(
    _ pipeline: ImagePipeline, _ name: String, _ requests: [ImageRequest],
    _ evaluation: PromptEvaluation, _ sheet: inout PromptSheet, _ hashes: inout [String: String]
  ) throws -> [PromptReport.Row] {
    hashes[name] = try pipeline.hashes()["transformer"]
    let encoded = try EncodedPrompts(
      evaluation.prompts, like: requests[0], by: pipeline, log: log)
    let generation = PromptGeneration(pipeline, encoded)
    return try requests.flatMap { request in
      let steps = request.steps!
      let bar = ProgressBar(
        "\(name), \(steps) step\(steps == 1 ? "" : "s")", of: evaluation.count)
      let result = try evaluation.measure(
        generation, name, like: request, keeping: options.sheet == nil ? [] : Set(sheet.lines)
      ) { bar.show($0) }
      bar.finish()
      sheet.add(result)
      return result.rows
    }
  }
}
