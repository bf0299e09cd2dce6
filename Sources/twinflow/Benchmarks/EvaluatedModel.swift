import Files
import Flow
import Foundation
import Models
import Pipelines
import Runtime
import Training

/// A text-to-image model that `twinflow evaluate` measures, and how it samples.
struct EvaluatedModel {
  /// The model's folder or name, or the folder of a run or a checkpoint.
  let path: String
  let sampler: SamplerOptions
  let engine: Engine

  /// Opens the model.
  ///
  /// - Throws: the errors of `ModelOfRun.pipeline`.
  func pipeline() throws -> ImagePipeline {
    var options = ImagePipeline.Options()
    options.compute = sampler.precision
    // Prompts are padded to one length anyway, and most are short.
    options.textMultiple = 16
    return try ModelOfRun.pipeline(
      at: SharedFiles.standard.path(path), options, on: engine,
      log: { FileHandle.standardError.write($0 + "\n") })
  }

  /// A request of pictures in a number of steps, without a prompt.
  func request(steps: Int, size: ImageSize?) -> ImageRequest {
    var request = ImageRequest(prompt: "")
    (request.steps, request.guidance, request.size) = (steps, sampler.guidance, size)
    if sampler.style != nil || sampler.stochastic != nil {
      var settings = SamplerSettings.preset(steps)
      if let style = sampler.style { settings.style = style }
      if let stochastic = sampler.stochastic { settings.stochasticity = .ratio(stochastic) }
      request.sampler = settings
    }
    return request
  }

  /// The last part of the path.
  var name: String { URL(filePath: path).lastPathComponent }
}
