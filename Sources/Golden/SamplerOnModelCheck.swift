import Flow
import Foundation
import Models
import Pipelines
import Runtime
import Tensors

/// Cases of the sampler for any number of steps on published networks.
extension GoldenCase {
  /// The settings of such a case.
  private struct SamplerCase: Decodable {
    let prompts: [String]
    let height: Int
    let width: Int
    let runs: [Run]
    /// The number of tokens of T5.
    let max_sequence_length: Int?
  }

  /// Runs the sampler of the case on its model.
  func checkSamplerOnModel(on client: Client) throws -> [Comparison] {
    let engine = Engine(client: client, cache: ExecutableCache())
    let settings: SamplerCase = try settings()
    return try naming { try comparisons(settings, on: engine) }
  }

  private func comparisons(
    _ settings: SamplerCase, on engine: Engine
  ) throws -> [Comparison] {
    let folder = try ModelFolder(modelPath)
    var kind = PipelineKind.all.first { $0.className == folder.className }
    if case .clipsAndT5? = kind?.textEncoders, let tokens = settings.max_sequence_length {
      kind?.textEncoders = .clipsAndT5(tokens: tokens)
    }
    let pipeline = try ImagePipeline(folder, kind: kind, .golden, on: engine)
    let size = ImageSize(height: settings.height, width: settings.width)
    let tokens = try pipeline.tokens(settings.prompts)
    let texts = try pipeline.features(tokens)
    let published = try texts.published(tokens, padding: 0)
    var list = ["prompt_embeds", "prompt_embeds_mask", "pooled"].compactMap { name in
      expected[name].map { wanted in
        let pair = (published[name]!, wanted)
        let (actual, wanted) =
          pipeline.kind.template.hasInstruction
          ? (pair.0.rows(of: texts.counts), pair.1.rows(of: texts.counts)) : pair
        return comparison(of: name, name, actual, wanted)
      }
    }
    if let wanted = expected["prompt_attention_mask"] {
      let name = "prompt_attention_mask"
      let actual = HostArray.mask(texts.counts, pipeline.kind.template.limit)
      list.append(comparison(of: name, name, actual, wanted))
    }
    let shape = pipeline.latentShape(batch: settings.prompts.count, size).sizes
    let noise = try input("noise", shape: [shape[0], shape[3], shape[1], shape[2]]).channelsLast
    let fresh = try input("step_noise", shape: [nil, shape[0], shape[3], shape[1], shape[2]])
    for (number, run) in settings.runs.enumerated() {
      guard let sampler = run.settings else { throw fail("its run \(number) is invalid") }
      guard fresh.rowCount >= sampler.freshNoises else {
        throw fail("its input step_noise has too few steps for run \(number)")
      }
      let found = try results(
        of: sampler, pipeline, texts, noise, fresh.stepsChannelsLast, on: engine)
      let prefix = number < 10 ? "run0\(number)." : "run\(number)."
      for (name, wanted) in expected.pairs where name.hasPrefix(prefix) {
        let output = String(name.dropFirst(prefix.count))
        guard let actual = found[output] else {
          throw fail("its expected.safetensors has \(name), which is not a known output")
        }
        list.append(comparison(of: name, output, actual, wanted))
      }
    }
    return list
  }

  /// The outputs of one run by their published names.
  private func results(
    of sampler: SamplerSettings, _ pipeline: ImagePipeline, _ texts: ImagePipeline.TextFeatures,
    _ noise: HostArray, _ fresh: HostArray, on engine: Engine
  ) throws -> Named<HostArray> {
    var arguments = try pipeline.transformer.component.load().prefixed("weights")
    arguments.merge(texts.condition.prefixed("condition"))
    arguments["noise"] = try engine.array(noise.values, shape: noise.shape)
    arguments["fresh"] = try engine.array(fresh.values, shape: fresh.shape)
    let program = try engine.compile(arguments.types) { arguments in
      let recorder = Recorder(pipeline.transformer.bound(arguments.group("weights")))
      let samples = Sampler(sampler).trajectory(
        recorder, noise: arguments["noise"]!, condition: arguments.group("condition")
      ) { arguments["fresh"]![$0].cast(to: .float64) }
      return Named([
        ("x_hat", .stack(samples)), ("call_x", .stack(recorder.x)),
        ("call_F", .stack(recorder.results)), ("call_t", .stack(recorder.times)),
        ("call_tt", .stack(recorder.targets)), ("last", samples.last!),
      ])
    }
    let results = try program(arguments)
    let pixels = try pipeline.codec.decode(results["last"]!, tile: .never)
    var found = try results.map { name, array in
      let values = HostArray(try array.array(of: Float.self), array.type.shape.sizes)
      // One time serves the whole batch.
      return name.hasPrefix("call_t")
        ? HostArray((0..<values.rowCount).map { values.row($0).values[0] }, [values.rowCount])
        : name == "last" ? values.channelsFirst : values.stepsChannelsFirst
    }
    let times = sampler.times
    found["t_steps"] = HostArray(times.map { Float($0) }, [times.count])
    let decoded = HostArray(try pixels.array(of: Float.self), pixels.type.shape.sizes)
    found["decoded"] = decoded.channelsFirst
    // The published code cuts the fraction off.
    found["image_uint8"] = decoded.pixelBytes { (($0 + 1) / 2 * 255 + 0.5).rounded(.down) }
    return found
  }
}

extension HostArray {
  /// Latents of several steps converted from channels first to channels last.
  fileprivate var stepsChannelsLast: HostArray { transposed([0, 1, 3, 4, 2]) }

  /// Latents of several steps converted from channels last to channels first.
  fileprivate var stepsChannelsFirst: HostArray { transposed([0, 1, 4, 2, 3]) }
}
