import Flow
import Foundation
import Models
import Pipelines
import Runtime
import Tensors

extension GoldenCase {
  /// Runs the pipeline of a case, from prompts and initial noise to the pictures' bytes.
  func checkPipeline(on client: Client) throws -> [Comparison] {
    let engine = Engine(client: client, cache: ExecutableCache())
    return try naming {
      try pipelineRuns().flatMap { prefix, number, run in
        if let sana = try SanaPipelineCheck(self, prefix, number: number, run, on: engine) {
          return try sana.comparisons()
        }
        return try PipelineCheck(self, prefix, number: number, run, on: engine).comparisons()
      }
    }
  }

  /// The runs, with the prefixes of their outputs and the numbers in their inputs' names.
  private func pipelineRuns() throws -> [(prefix: String, number: String, run: PipelineRun)] {
    struct Runs: Decodable { let runs: [PipelineRun]? }
    if let runs = try settings(Runs.self).runs {
      return runs.enumerated().map { ("run\($0).", "\($0)", $1) }
    }
    return [("", "", try settings())]
  }
}

/// One run of a pipeline's case.
private struct PipelineCheck {
  let golden: GoldenCase
  let prefix: String
  let number: String
  let run: GoldenCase.PipelineRun
  let engine: Engine
  let pipeline: ImagePipeline
  let wanted: Named<HostArray>
  let steps: [SamplerSettings.Step<Double>]
  /// The reference images, and what the networks make of them.
  let references: ImagePipeline.References
  let embeddings: ShardedArray?
  let latentsOfImages: Named<ShardedArray>

  init(
    _ golden: GoldenCase, _ prefix: String, number: String, _ run: GoldenCase.PipelineRun,
    on engine: Engine
  ) throws {
    self.golden = golden
    (self.prefix, self.number, self.run, self.engine) = (prefix, number, run, engine)
    let folder = try ModelFolder(golden.modelPath)
    let name = run.cls ?? folder.className
    guard var kind = PipelineKind.all.first(where: { $0.className == name }) else {
      throw golden.fail("the class of its pipeline, \(name), is not known")
    }
    if case .extrapolated = kind.guidance { kind.guidance = .extrapolated(limit: run.limit) }
    if case .clipsAndT5 = kind.textEncoders, let tokens = run.t5Tokens {
      kind.textEncoders = .clipsAndT5(tokens: tokens)
    }
    if let area = run.latentArea { kind.references?.latentArea = area }
    if let area = run.conditionArea, area > 0 { kind.references?.conditionArea = area }
    pipeline = try ImagePipeline(folder, kind: kind, .golden, on: engine)
    wanted = golden.expected.filter { $0.hasPrefix(prefix) }
    steps = pipeline.scheduler.steps(run.steps, tokens: pipeline.tokenCount(run.size))
    let images = try (0..<run.references).map { try golden.image("ref\(number)_\($0)") }
    references = try pipeline.references(images)
    embeddings = try pipeline.embeddings(references)
    latentsOfImages = try pipeline.latents(references)
  }

  /// The scale of guidance, nil where it has no effect.
  private var scale: Double? {
    guard let scale = run.guidance, scale > pipeline.kind.guidanceStart else { return nil }
    // Qwen-Image's pipelines guide only with a negative prompt.
    guard case .rescaled = pipeline.kind.guidance else { return scale }
    return run.negatives == nil ? nil : scale
  }

  /// The tokens of prompts.
  ///
  /// - Parameter further: the prompts for further text encoders, nil for the same.
  private func tokens(
    _ prompts: [String], further: [[String]?]
  ) throws -> ImagePipeline.TextTokens {
    guard let joint = pipeline.joint else {
      return try pipeline.tokens(prompts, grids: references.grids)
    }
    return try pipeline.tokens(
      jointly: ([prompts] + further.map { $0 ?? prompts }).prefix(joint.parts.count).map(\.self))
  }

  /// Whether a step is guided.
  private func isGuided(_ step: Int) -> Bool {
    guard let truncation = run.truncation, truncation <= 1 else { return true }
    return 1 - steps[step].time <= truncation
  }

  /// Compares everything that the case expects of this run.
  func comparisons() throws -> [Comparison] {
    let tokens = try tokens(run.prompts, further: run.further)
    let texts = try pipeline.features(tokens, images: embeddings)
    var found = try outputs(of: texts, tokens, prefix: "")
    if run.references > 0 { try addReferences(tokens, &found) }
    var negative: ImagePipeline.TextFeatures?
    if scale != nil {
      let tokens = try self.tokens(
        run.negatives ?? run.prompts.map { _ in pipeline.kind.negative },
        further: run.furtherNegatives)
      negative = try pipeline.features(tokens, images: embeddings)
      found.merge(try outputs(of: negative!, tokens, prefix: "negative_"))
    }
    found["timesteps"] = HostArray(steps.map { Float($0.time * 1000) }, [steps.count])
    found["sigmas"] = HostArray(steps.map { Float($0.time) } + [0], [steps.count + 1])
    let channels = pipeline.latentShape(batch: 1, run.size)[3]
    let noise = try golden.latents("noise\(number)", channels: channels, multiple: 1).channelsLast
    try addCalls(texts, negative, noise, &found)
    let latents = try addSteps(texts, negative, noise, &found)
    let last = HostArray(try latents.array(of: Float.self), latents.type.shape.sizes)
    found["latents_final_unpacked"] = last.channelsFirst
    found["vae_in"] = try denormalized(latents).channelsFirst
    let pixels = try pipeline.codec.decode(latents, tile: .never)
    let decoded = HostArray(try pixels.array(of: Float.self), pixels.type.shape.sizes)
    found["decoded"] = decoded.channelsFirst
    found["image_uint8"] = decoded.pixelBytes { ($0 * 127.5 + 127.5).rounded(.toNearestOrEven) }
    // Positions along one axis are what the published pair of versions computes by mistake.
    let compared = wanted.filter { !$0.hasSuffix("_1d_positions") }
    return try compared.pairs.map { name, wanted in
      let output = String(name.dropFirst(prefix.count))
      guard let actual = found[output] else {
        throw golden.fail("its expected.safetensors has \(name), which is not a known output")
      }
      return golden.comparison(of: name, output, actual, wanted)
    }
  }

  /// The outputs of the text encoder for one kind of prompts.
  private func outputs(
    of texts: ImagePipeline.TextFeatures, _ tokens: ImagePipeline.TextTokens, prefix: String
  ) throws -> Named<HostArray> {
    var found = try texts.published(tokens, padding: pipeline.tokenizer?.paddingToken ?? 0)
    // Only those of the prompts are called so.
    for name in found.names
    where !prefix.isEmpty && ["input_ids", "attention_mask"].contains(where: name.hasPrefix) {
      found[name] = nil
    }
    return Named(
      found.pairs.map { name, value in
        (name.hasPrefix("input") || name.hasPrefix("attention") ? name : prefix + name, value)
      })
  }

  /// What the networks see of the reference images.
  private func addReferences(
    _ tokens: ImagePipeline.TextTokens, _ found: inout Named<HostArray>
  ) throws {
    let arrays = tokens.arrays
    if let positions = arrays["positions"] {
      found["position_ids"] = HostArray(
        positions.array(of: Int32.self).map { Float($0) }, positions.type.shape.sizes)
    }
    found.merge(references.published)
    guard case .rescaled(let patch) = pipeline.kind.guidance else { return }
    let packed = try latentsOfImages.values.map { array in
      HostArray(try array.array(of: Float.self), array.type.shape.sizes).packed(patch)
    }
    let width = packed[0].shape[2]
    found["reference_latents_packed"] = HostArray(
      packed.flatMap(\.values), [1, packed.reduce(0) { $0 + $1.shape[1] }, width])
  }

  /// Every evaluation of the network, each from the latents that the case expects before it.
  private func addCalls(
    _ texts: ImagePipeline.TextFeatures, _ negative: ImagePipeline.TextFeatures?,
    _ noise: HostArray, _ found: inout Named<HostArray>
  ) throws {
    let (conditional, unconditional) = (
      try NetworkCall(pipeline, texts, latentsOfImages, noise.shape, on: engine),
      try negative.map {
        try NetworkCall(pipeline, $0, latentsOfImages, noise.shape, on: engine)
      }
    )
    let skipping = scale == nil ? nil : run.skipping
    let skipped = try skipping.map {
      try NetworkCall(
        pipeline, texts, latentsOfImages, noise.shape, skipping: Set($0.layers), on: engine)
    }
    var calls = 0
    for (i, step) in steps.enumerated() {
      let before = i == 0 ? noise : try latents(after: i - 1, like: noise)
      let c = try conditional(before, time: step.time, target: step.time)
      let u = try isGuided(i) ? unconditional?(before, time: step.time, target: step.time) : nil
      if case .rescaled(let patch) = pipeline.kind.guidance {
        let outputs = [c, u].compactMap { $0?.packed(patch) }
        found["pred_cond_\(i)"] = outputs[0]
        if outputs.count > 1 { found["pred_uncond_\(i)"] = outputs[1] }
        for output in outputs {
          found["call\(calls).out"] = output
          calls += 1
        }
      } else if pipeline.joint != nil {
        // One call for both, and another one for that without some blocks.
        var all = [HostArray.joined([u, c].compactMap { $0?.channelsFirst })]
        if let skipped, skipping!.guides(i, of: steps.count) {
          all.append(try skipped(before, time: step.time, target: step.time).channelsFirst)
        }
        for output in all {
          found["call\(calls).out"] = output
          found["call\(calls).t"] = HostArray(
            [Float](repeating: Float(step.time) * 1000, count: output.rowCount), [output.rowCount])
          calls += 1
        }
      } else {
        // One call for both, in the network's own sign and time.
        let both = [c, u].compactMap { $0?.channelsFirst }
        found["call\(i).out"] = HostArray.joined(both).negated
        let count = noise.rowCount * both.count
        found["call\(i).t"] = HostArray(
          [Float](repeating: 1 - Float(step.time), count: count), [count])
      }
    }
  }

  /// The latents that the case expects after a step.
  private func latents(after step: Int, like noise: HostArray) throws -> HostArray {
    guard let found = wanted["\(prefix)latents_\(step)"] else {
      throw golden.fail("its expected.safetensors has no \(prefix)latents_\(step)")
    }
    guard case .rescaled(let patch) = pipeline.kind.guidance else { return found.channelsLast }
    return found.unpacked(patch, like: noise.shape)
  }

  /// The latents after each step of our own run, with the sampler as it is used for generation.
  private func addSteps(
    _ texts: ImagePipeline.TextFeatures, _ negative: ImagePipeline.TextFeatures?,
    _ noise: HostArray, _ found: inout Named<HostArray>
  ) throws -> ShardedArray {
    let denoiser = pipeline.denoiser(batch: noise.rowCount, run.size)
    var start = Named([
      ("noise", try engine.array(noise.values, shape: noise.shape))
    ])
    let keys = try engine.array(
      [UInt64](repeating: 0, count: 2 * noise.rowCount), shape: [noise.rowCount, 2])
    for i in steps.indices { start["keys.\(i)"] = keys }
    var states: [HostArray] = []
    let conditions = try pipeline.conditions(
      texts, negative, scale: scale, skipping: scale == nil ? nil : run.skipping,
      references: latentsOfImages)
    let (latents, _) = try denoiser(start, steps, conditions, isGuided: isGuided) { progress in
      states.append(
        HostArray(
          try progress.state.array(of: Double.self).map { Float($0) }, noise.shape))
    }
    for (i, state) in states.enumerated() {
      if case .rescaled(let patch) = pipeline.kind.guidance {
        found["latents_\(i)"] = state.packed(patch)
      } else {
        found["latents_\(i)"] = state.channelsFirst
      }
    }
    return latents
  }

  private func denormalized(_ latents: ShardedArray) throws -> HostArray {
    guard let config = pipeline.codec.autoencoder?.config else {
      return HostArray(try latents.array(of: Float.self), latents.type.shape.sizes)
    }
    let program = try engine.compile(Named([("x", latents.type)])) {
      Named([("y", config.denormalized($0["x"]!))])
    }
    return HostArray(
      try program(Named([("x", latents)]))["y"]!.array(of: Float.self),
      latents.type.shape.sizes)
  }
}
