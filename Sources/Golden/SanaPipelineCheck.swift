import Flow
import Models
import Pipelines
import Runtime
import Tensors

/// One run of a case of SANA's, SANA-Sprint's or OpenUni's pipeline.
struct SanaPipelineCheck {
  private let golden: GoldenCase
  private let prefix: String
  private let number: String
  private let run: GoldenCase.PipelineRun
  private let engine: Engine
  private let pipeline: ImagePipeline
  private let wanted: Named<HostArray>
  private let steps: [SamplerSettings.Step<Double>]
  /// SANA-Sprint's schedule, nil for SANA.
  private let sprint: ConsistencySchedule?

  /// Opens the model of a run; nil for another pipeline's.
  init?(
    _ golden: GoldenCase, _ prefix: String, number: String, _ run: GoldenCase.PipelineRun,
    on engine: Engine
  ) throws {
    let folder = try ModelFolder(golden.modelPath)
    let name = run.cls ?? folder.className
    let kinds: [PipelineKind] = [.sana, .sanaSprint, .openUni]
    guard var kind = kinds.first(where: { $0.className == name }) else { return nil }
    if run.hasInstruction == false { kind.template = kind.template.withoutInstruction }
    (self.golden, self.prefix, self.number, self.run) = (golden, prefix, number, run)
    self.engine = engine
    pipeline = try ImagePipeline(folder, kind: kind, .golden, on: engine)
    wanted = golden.expected.filter { $0.hasPrefix(prefix) }
    if case .consistency(var schedule) = pipeline.scheduler {
      if let first = run.firstAngle { schedule.first = first }
      schedule.middle = run.middleAngle
      (sprint, steps) = (schedule, schedule.steps(run.steps))
    } else {
      sprint = nil
      steps = pipeline.scheduler.steps(run.steps, tokens: pipeline.tokenCount(run.size))
    }
  }

  /// The scale of guidance, nil where it has no effect.
  private var scale: Double? {
    run.guidance.flatMap { $0 > pipeline.kind.guidanceStart ? $0 : nil }
  }

  /// Compares everything that the case expects of this run.
  func comparisons() throws -> [Comparison] {
    let tokens = try pipeline.tokens(run.prompts)
    let texts = try pipeline.features(tokens)
    var found = try outputs(of: texts, prefix: "")
    addTokens(tokens, &found)
    var negative: ImagePipeline.TextFeatures?
    if scale != nil, sprint == nil {
      let one = run.negatives ?? [pipeline.kind.negative]
      let all = one.count == 1 ? run.prompts.map { _ in one[0] } : one
      negative = try pipeline.features(pipeline.tokens(all, negatives: Set(all)))
      found.merge(try outputs(of: negative!, prefix: "negative_"))
    }
    let channels = pipeline.latentShape(batch: 1, run.size)[3]
    let noise = try golden.latents("noise\(number)", channels: channels, multiple: 1).channelsLast
    let latents: ShardedArray
    if let sprint {
      found["timesteps"] = HostArray(
        sprint.angles(run.steps).map { Float($0) }, [run.steps + 1])
      try addCalls(texts, sprint, noise, &found)
      latents = try addSteps(texts, sprint, noise, &found)
    } else {
      found["timesteps"] = HostArray(steps.map { Float($0.networkTime * 1000) }, [steps.count])
      found["sigmas"] = HostArray(steps.map { Float($0.time) } + [0], [steps.count + 1])
      try addCalls(texts, negative, noise, &found)
      latents = try addSteps(texts, negative, noise, &found)
    }
    let pixels = try pipeline.codec.decode(latents, tile: .never)
    let decoded = HostArray(try pixels.array(of: Float.self), pixels.type.shape.sizes)
    found["vae_in"] = try denormalized(latents).channelsFirst
    found["decoded"] = decoded.channelsFirst
    found["image_uint8"] = decoded.pixelBytes { ($0 * 127.5 + 127.5).rounded(.toNearestOrEven) }
    return try wanted.pairs.map { name, wanted in
      let output = String(name.dropFirst(prefix.count))
      guard let actual = found[output] else {
        throw golden.fail("its expected.safetensors has \(name), which is not a known output")
      }
      guard output.hasSuffix("prompt_embeds") else {
        return golden.comparison(of: name, output, actual, wanted)
      }
      // Hidden states at padding are undefined.
      let counts = output.hasPrefix("negative") ? negative!.counts : texts.counts
      return golden.comparison(of: name, output, actual, wanted.rows(of: counts))
    }
  }

  /// The features of prompts without padding, and the masks that say where it is.
  private func outputs(
    of texts: ImagePipeline.TextFeatures, prefix: String
  ) throws -> Named<HostArray> {
    let text = texts.condition["text"]!
    let features = HostArray(try text.array(of: Float.self), text.type.shape.sizes)
    // OpenUni's texts have one length.
    let length =
      pipeline.hasOneTextLength ? text.type.shape[1] : pipeline.kind.template.limit
    return Named([
      ("\(prefix)prompt_embeds", features.rows(of: texts.counts)),
      ("\(prefix)prompt_attention_mask", HostArray.mask(texts.counts, length)),
    ])
  }

  /// The ids of the tokens, padded to those of the longest prompt.
  private func addTokens(
    _ tokens: ImagePipeline.TextTokens, _ found: inout Named<HostArray>
  ) {
    let longest = tokens.counts.max()!
    let padding = Float(pipeline.tokenizer?.paddingToken ?? 0)
    let ids = tokens.prompts.flatMap { prompt in
      prompt.tokens.map { Float($0) }
        + [Float](repeating: padding, count: longest - prompt.tokens.count)
    }
    found["input_ids_unpadded"] = HostArray(ids, [tokens.counts.count, longest])
    found["input_ids_mask"] = HostArray.mask(tokens.counts, longest)
    found["num_chi_tokens"] = HostArray([Float(pipeline.instructionTokens)], [])
  }

  private func denormalized(_ latents: ShardedArray) throws -> HostArray {
    let config = pipeline.codec.autoencoder!.config
    let program = try engine.compile(Named([("x", latents.type)])) {
      Named([("y", config.denormalized($0["x"]!))])
    }
    return HostArray(
      try program(Named([("x", latents)]))["y"]!.array(of: Float.self), latents.type.shape.sizes)
  }

  /// The latents that the case expects after a step.
  private func latents(after step: Int) throws -> HostArray {
    guard let found = wanted["\(prefix)latents_\(step)"] else {
      throw golden.fail("its expected.safetensors has no \(prefix)latents_\(step)")
    }
    return found.channelsLast
  }
}

/// SANA: two evaluations a step, in one call.
extension SanaPipelineCheck {
  private var timeScale: Double {
    (pipeline.transformer.config as? SanaConfig)?.timeScale ?? 1
  }

  /// Every evaluation of the network, each from the latents that the case expects before it.
  private func addCalls(
    _ texts: ImagePipeline.TextFeatures, _ negative: ImagePipeline.TextFeatures?,
    _ noise: HostArray, _ found: inout Named<HostArray>
  ) throws {
    let calls = try [negative, texts].compactMap {
      try $0.map { try NetworkCall(pipeline, $0, Named(), noise.shape, on: engine) }
    }
    for (i, step) in steps.enumerated() {
      let before = try i == 0 ? noise : latents(after: i - 1)
      let outputs = try calls.map {
        try $0(before, time: step.networkTime, target: step.networkTime).channelsFirst
      }
      let count = noise.rowCount * calls.count
      found["call\(i).x"] = HostArray.joined(calls.map { _ in before.channelsFirst })
      found["call\(i).out"] = HostArray.joined(outputs)
      found["call\(i).t"] = HostArray(
        [Float](repeating: Float(step.networkTime * 1000 * timeScale), count: count), [count])
    }
  }

  /// The latents after each step of our own run, with the sampler as it is used for generation.
  private func addSteps(
    _ texts: ImagePipeline.TextFeatures, _ negative: ImagePipeline.TextFeatures?,
    _ noise: HostArray, _ found: inout Named<HostArray>
  ) throws -> ShardedArray {
    var start = Named([("noise", try engine.array(noise.values, shape: noise.shape))])
    let keys = try engine.array(
      [UInt64](repeating: 0, count: 2 * noise.rowCount), shape: [noise.rowCount, 2])
    for i in steps.indices { start["keys.\(i)"] = keys }
    var states: [HostArray] = []
    let (latents, _) = try pipeline.denoiser(batch: noise.rowCount, run.size)(
      start, steps, pipeline.conditions(texts, negative, scale: scale),
      observer: { progress in
        let state = try progress.state.array(of: Double.self)
        states.append(HostArray(state.map { Float($0) }, noise.shape))
      })
    for (i, state) in states.enumerated() { found["latents_\(i)"] = state.channelsFirst }
    return latents
  }
}

/// SANA-Sprint, whose latents are those of the flow in another scale.
extension SanaPipelineCheck {
  /// Every evaluation of the network, each from the latents that the case expects before it.
  private func addCalls(
    _ texts: ImagePipeline.TextFeatures, _ schedule: ConsistencySchedule, _ noise: HostArray,
    _ found: inout Named<HostArray>
  ) throws {
    let (scale, rows) = (scale ?? SanaConfig.standardGuidance, noise.rowCount)
    let factor = (pipeline.transformer.config as? SanaConfig)?.guidanceScale ?? 1
    var condition = texts.condition
    condition["guidance"] = try engine.array(
      [Float](repeating: Float(scale), count: rows), shape: [rows])
    let call = try NetworkCall(
      pipeline, ImagePipeline.TextFeatures(condition: condition, counts: texts.counts), Named(),
      noise.shape, on: engine)
    let angles = schedule.angles(run.steps)
    for (i, step) in steps.enumerated() {
      let before =
        try i == 0
        ? noise : latents(after: i - 1).scaled(by: 1 / schedule.deviation)
      let x = before.scaled(by: ConsistencySchedule.scale(angles[i]))
      found["call\(i).x"] = x.channelsFirst
      found["call\(i).out"] = try call(x, time: step.time, target: step.time).channelsFirst
      found["call\(i).t"] = HostArray([Float](repeating: Float(step.time), count: rows), [rows])
      found["call\(i).guidance"] = HostArray(
        [Float](repeating: Float(scale * factor), count: rows), [rows])
    }
  }

  /// The latents after each step of our own run, with the noise of the case.
  private func addSteps(
    _ texts: ImagePipeline.TextFeatures, _ schedule: ConsistencySchedule, _ noise: HostArray,
    _ found: inout Named<HostArray>
  ) throws -> ShardedArray {
    let name = "step_noise\(number)"
    // The published code draws noise in the last step too, and has no use for it.
    let fresh = try golden.input(name, shape: [nil] + noise.channelsFirst.shape.map { $0 })
    guard fresh.rowCount >= steps.count else {
      throw golden.fail("its input \(name) has too few steps")
    }
    let scaled = noise.scaled(by: ConsistencySchedule.scale(schedule.first))
    var arguments = try pipeline.transformer.component.load().prefixed("weights")
    arguments.merge(texts.condition.prefixed("condition"))
    arguments["noise"] = try engine.array(scaled.values, shape: scaled.shape)
    let channelsLast = fresh.transposed([0, 1, 3, 4, 2])
    arguments["fresh"] = try engine.array(channelsLast.values, shape: channelsLast.shape)
    let program = try engine.compile(arguments.types) { [scale, steps, pipeline] arguments in
      let network = TrueGuidance(
        network: pipeline.transformer.bound(arguments.group("weights")),
        unconditional: Named(),
        scale: .constant(scale ?? SanaConfig.standardGuidance, .float32),
        rule: pipeline.kind.guidance)
      let states = Sampler.states(
        steps, network, noise: arguments["noise"]!, condition: arguments.group("condition")
      ) { arguments["fresh"]![$0].cast(to: .float64) }
      return Named([
        ("x", .stack(states.map(\.x))), ("data", .stack(states.map(\.data))),
        ("last", states.last!.data.cast(to: .float32)),
      ])
    }
    let results = try program(arguments)
    func states(_ name: String) throws -> [HostArray] {
      let array = results[name]!
      let all = HostArray(
        try array.array(of: Double.self).map { Float($0) }, array.type.shape.sizes)
      return steps.indices.map { HostArray(all.row($0).values, noise.shape) }
    }
    let angles = schedule.angles(run.steps)
    for (i, x) in try states("x").enumerated() {
      let scale = schedule.deviation / ConsistencySchedule.scale(angles[i + 1])
      found["latents_\(i)"] = x.scaled(by: scale).channelsFirst
    }
    for (i, data) in try states("data").enumerated() {
      found["denoised_\(i)"] = data.scaled(by: schedule.deviation).channelsFirst
    }
    return results["last"]!
  }
}

extension HostArray {
  /// The elements times a number.
  fileprivate func scaled(by factor: Double) -> HostArray {
    HostArray(values.map { Float(Double($0) * factor) }, shape)
  }

  /// Of an array `[rows, tokens, …]` the first tokens of each row, as many as its count.
  func rows(of counts: [Int]) -> HostArray {
    let width = shape.dropFirst(2).reduce(1, *)
    let kept = zip(0..., counts).flatMap { row, count in
      let start = row * shape[1] * width
      return values[start..<min(start + count * width, start + shape[1] * width)]
    }
    return HostArray(kept, [kept.count / max(1, width), width])
  }
}
